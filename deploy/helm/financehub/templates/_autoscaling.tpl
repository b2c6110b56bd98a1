{{/* The autoscaler of a tier: keda, hpa or none. Takes (dict "root" $ "tier" <merged values>). */}}
{{- define "financehub.autoscaler" -}}
{{- if not .tier.autoscaling.enabled -}}none
{{- else if ne .root.Values.autoscaling.mode "auto" -}}{{ .root.Values.autoscaling.mode }}
{{- else if .root.Capabilities.APIVersions.Has "keda.sh/v1alpha1/ScaledObject" -}}keda
{{- else -}}hpa
{{- end -}}
{{- end -}}

{{- define "financehub.scalingBehavior" -}}
# Scales up immediately, but removes only one pod per minute, because each removed pod means a cold start later.
scaleUp:
  stabilizationWindowSeconds: 0
  policies:
    - {type: Percent, value: 100, periodSeconds: 15}
scaleDown:
  stabilizationWindowSeconds: {{ int .scaleDownWindowSeconds }}
  policies:
    - {type: Pods, value: 1, periodSeconds: 60}
{{- end -}}

{{- define "financehub.redis.trigger" -}}
{{- if include "financehub.redis.usesSentinel" . }}
addresses: {{ include "financehub.redis.address" . | quote }}
sentinelMaster: {{ include "financehub.redis.service" . | quote }}
{{- with include "financehub.redis.sentinelUser" . }}
sentinelUsername: {{ . | quote }}
{{- end }}
{{- else }}
address: {{ include "financehub.redis.address" . | quote }}
{{- end }}
databaseIndex: {{ include "financehub.redis.database" . | quote }}
{{- with include "financehub.redis.user" . }}
username: {{ . | quote }}
{{- end }}
{{- if hasPrefix "rediss" (include "financehub.redis.url" .) }}
enableTLS: "true"
{{- if include "financehub.redis.skipsHostname" . }}
# KEDA cannot check the authority of a certificate without its name.
unsafeSsl: "true"
{{- end }}
{{- end }}
{{- end -}}

{{- define "financehub.redis.triggerAuthentication" -}}
{{- if include "financehub.redis.hasSecrets" . }}
authenticationRef:
  name: {{ include "financehub.fullname" . }}-redis
{{- end }}
{{- end -}}

{{/* Whether KEDA scales any tier: empty if it does not. */}}
{{- define "financehub.usesKeda" -}}
{{- range $name, $tier := include "financehub.tiers" . | fromJson }}
{{- if eq (include "financehub.autoscaler" (dict "root" $ "tier" $tier)) "keda" }}yes{{ end }}
{{- end }}
{{- end -}}

{{/* The maximum number of workers of each tier, by queue, for example high=5,low=2. */}}
{{- define "financehub.maxWorkers" -}}
{{- $maximums := list -}}
{{- range $name, $tier := include "financehub.tiers" . | fromJson -}}
{{- $isFixed := eq (include "financehub.autoscaler" (dict "root" $ "tier" $tier)) "none" -}}
{{- $maximums = append $maximums (printf "%s=%d" $tier.queue (ternary $tier.replicas $tier.autoscaling.maxReplicas $isFixed | int)) -}}
{{- end -}}
{{- join "," $maximums -}}
{{- end -}}

{{/* The queues of the tiers that KEDA may scale to zero. Such a tier is healthy without a worker. */}}
{{- define "financehub.idleTiers" -}}
{{- $idle := list -}}
{{- range $name, $tier := include "financehub.tiers" . | fromJson -}}
{{- if and (eq (include "financehub.autoscaler" (dict "root" $ "tier" $tier)) "keda") (eq (int $tier.autoscaling.minReplicas) 0) -}}
{{- $idle = append $idle $tier.queue -}}
{{- end -}}
{{- end -}}
{{- join "," $idle -}}
{{- end -}}
