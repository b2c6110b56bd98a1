{{/* Values of one tier: its own over those of tierDefaults, with what follows from them. YAML, for fromYaml. */}}
{{- define "financehub.tier" -}}
{{- $tier := mergeOverwrite (deepCopy .root.Values.tierDefaults) (deepCopy .tier) -}}
{{- $_ := set $tier "queue" ($tier.queue | default .name) -}}
{{- $_ := set $tier "grace" ($tier.terminationGracePeriodSeconds | default (add $tier.shutdownTimeoutSeconds 30)) -}}
{{- toYaml $tier -}}
{{- end -}}

{{/* keda, hpa or none: what sets the number of a tier's pods. Takes (dict "root" $ "tier" <merged values>). */}}
{{- define "financehub.autoscaler" -}}
{{- if not .tier.autoscaling.enabled -}}none
{{- else if ne .root.Values.autoscaling.mode "auto" -}}{{ .root.Values.autoscaling.mode }}
{{- else if .root.Capabilities.APIVersions.Has "keda.sh/v1alpha1/ScaledObject" -}}keda
{{- else -}}hpa
{{- end -}}
{{- end -}}
