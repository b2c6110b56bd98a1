{{/*
  All tiers as YAML, for fromYaml: each tier's values by name, merged over tierDefaults, with its queue and grace
  period.
*/}}
{{- define "financehub.tiers" -}}
{{- $tiers := dict -}}
{{- range $name, $values := .Values.tiers -}}
{{- /* null removes a tier. With --reuse-values, a removed tier is still in the values. */ -}}
{{- if not (kindIs "invalid" $values) -}}
{{- $tier := mergeOverwrite (deepCopy $.Values.tierDefaults) (deepCopy $values) -}}
{{- $_ := set $tier "queue" ($tier.queue | default $name) -}}
{{- $_ := set $tier "grace" ($tier.terminationGracePeriodSeconds | default (add $tier.shutdownTimeoutSeconds 30)) -}}
{{- $_ := set $tiers $name $tier -}}
{{- end -}}
{{- end -}}
{{- toYaml $tiers -}}
{{- end -}}

{{/* Whether a schedule is enabled: empty if it is not. null removes it, as it removes a tier. */}}
{{- define "financehub.isScheduled" -}}
{{- if dig "enabled" true (. | default (dict "enabled" false)) }}yes{{ end -}}
{{- end -}}
