{{/*
  All tiers as JSON: each tier's values by name, merged over podDefaults and tierDefaults, with its queue, its grace period
  and its account. Many templates need them, and merging takes most of the time of a rendering, so the result is kept in
  .Values, which all templates of a rendering share.
*/}}
{{- define "financehub.tiers" -}}
{{- if not (hasKey .Values "_tiers") }}{{ $_ := set .Values "_tiers" (include "financehub.mergedTiers" .) }}{{ end -}}
{{- get .Values "_tiers" -}}
{{- end -}}

{{- define "financehub.mergedTiers" -}}
{{- $tiers := dict -}}
{{- $book := .Files.Get "files/defaults.json" | fromJson -}}
{{- range $name, $values := .Values.tiers -}}
{{- /* null removes a tier. With --reuse-values, a removed tier is still in the values. */ -}}
{{- if not (kindIs "invalid" $values) -}}
{{- $own := deepCopy $.Values.tierDefaults -}}
{{- $_ := set $own "account" (printf "%s-worker" (include "financehub.fullname" $)) -}}
{{- $tier := include "financehub.component" (dict "root" $ "component" $name "own" $own "pod" $values) | fromJson -}}
{{- include "financehub.fill" (dict "into" $tier "keys" $book.keys.tierDefaults "values" $.Values.tierDefaults) -}}
{{- $_ := set $tier "queue" ($tier.queue | default $name) -}}
{{- $_ := set $tier "grace" ($tier.terminationGracePeriodSeconds | default (add $tier.shutdownTimeoutSeconds 30) | int) -}}
{{- $_ := set $tiers $name $tier -}}
{{- end -}}
{{- end -}}
{{- toJson $tiers -}}
{{- end -}}

{{/* Whether a schedule is enabled: empty if it is not. null removes it, as it removes a tier. */}}
{{- define "financehub.isScheduled" -}}
{{- if dig "enabled" true (. | default (dict "enabled" false)) }}yes{{ end -}}
{{- end -}}
