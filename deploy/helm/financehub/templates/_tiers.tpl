{{/* Name → values of a tier: its own over those of tierDefaults, with what follows from them. YAML, for fromYaml. */}}
{{- define "financehub.tiers" -}}
{{- $tiers := dict -}}
{{- range $name, $values := .Values.tiers -}}
{{- /* null takes a tier away; where values of before are reused, it is still there */ -}}
{{- if not (kindIs "invalid" $values) -}}
{{- $tier := mergeOverwrite (deepCopy $.Values.tierDefaults) (deepCopy $values) -}}
{{- $_ := set $tier "queue" ($tier.queue | default $name) -}}
{{- $_ := set $tier "grace" ($tier.terminationGracePeriodSeconds | default (add $tier.shutdownTimeoutSeconds 30)) -}}
{{- $_ := set $tiers $name $tier -}}
{{- end -}}
{{- end -}}
{{- toYaml $tiers -}}
{{- end -}}

{{/* Whether a schedule is to be there; empty: no. Null takes it away, as a tier. */}}
{{- define "financehub.isScheduled" -}}
{{- if dig "enabled" true (. | default (dict "enabled" false)) }}yes{{ end -}}
{{- end -}}

{{/* keda, hpa or none: what sets the number of a tier's pods. Takes (dict "root" $ "tier" <merged values>). */}}
{{- define "financehub.autoscaler" -}}
{{- if not .tier.autoscaling.enabled -}}none
{{- else if ne .root.Values.autoscaling.mode "auto" -}}{{ .root.Values.autoscaling.mode }}
{{- else if .root.Capabilities.APIVersions.Has "keda.sh/v1alpha1/ScaledObject" -}}keda
{{- else -}}hpa
{{- end -}}
{{- end -}}
