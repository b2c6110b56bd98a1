{{- define "financehub.scalingBehavior" -}}
# up at once, down one pod a minute: a drained pod costs a cold start
scaleUp:
  stabilizationWindowSeconds: 0
  policies:
    - {type: Percent, value: 100, periodSeconds: 15}
scaleDown:
  stabilizationWindowSeconds: {{ .scaleDownWindowSeconds }}
  policies:
    - {type: Pods, value: 1, periodSeconds: 60}
{{- end -}}

{{- define "financehub.redis.trigger" -}}
address: {{ include "financehub.redis.address" . | quote }}
databaseIndex: {{ include "financehub.redis.database" . | quote }}
{{- with include "financehub.redis.user" . }}
username: {{ . | quote }}
{{- end }}
{{- if hasPrefix "rediss://" (include "financehub.redis.url" .) }}
enableTLS: "true"
{{- end }}
{{- end -}}

{{- define "financehub.redis.triggerAuthentication" -}}
{{- if include "financehub.redis.hasSecrets" . }}
authenticationRef:
  name: {{ include "financehub.fullname" . }}-redis
{{- end }}
{{- end -}}

{{/* Whether any tier is scaled by KEDA; empty: none. */}}
{{- define "financehub.usesKeda" -}}
{{- range $name, $tier := include "financehub.tiers" . | fromYaml }}
{{- if eq (include "financehub.autoscaler" (dict "root" $ "tier" $tier)) "keda" }}yes{{ end }}
{{- end }}
{{- end -}}

{{/* How many workers each tier can have at most, by its queue: high=5,low=2. */}}
{{- define "financehub.maxWorkers" -}}
{{- $most := list -}}
{{- range $name, $tier := include "financehub.tiers" . | fromYaml -}}
{{- $fixed := eq (include "financehub.autoscaler" (dict "root" $ "tier" $tier)) "none" -}}
{{- $most = append $most (printf "%s=%d" $tier.queue (ternary $tier.replicas $tier.autoscaling.maxReplicas $fixed | int)) -}}
{{- end -}}
{{- join "," $most -}}
{{- end -}}

{{/* Tiers, by their queues, that KEDA may scale to zero: their health is well without a worker. */}}
{{- define "financehub.idleTiers" -}}
{{- $idle := list -}}
{{- range $name, $tier := include "financehub.tiers" . | fromYaml -}}
{{- if and (eq (include "financehub.autoscaler" (dict "root" $ "tier" $tier)) "keda") (eq (int $tier.autoscaling.minReplicas) 0) -}}
{{- $idle = append $idle $tier.queue -}}
{{- end -}}
{{- end -}}
{{- join "," $idle -}}
{{- end -}}
