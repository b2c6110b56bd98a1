{{/* Where Redis is and how its password gets to those who need it. */}}

{{- define "financehub.redis.secretName" -}}
{{- if .Values.redis.enabled -}}
{{- .Values.redis.existingSecret | default (printf "%s-redis" (include "financehub.fullname" .)) -}}
{{- else -}}
{{- .Values.externalRedis.existingSecret -}}
{{- end -}}
{{- end -}}

{{- define "financehub.redis.passwordKey" -}}
{{- if .Values.redis.enabled }}{{ .Values.redis.passwordKey }}{{ else }}{{ .Values.externalRedis.passwordKey }}{{ end -}}
{{- end -}}

{{/* URL without a password; empty when all of it is in the secret. With the namespace, for KEDA asks from another. */}}
{{- define "financehub.redis.url" -}}
{{- if .Values.redis.enabled -}}
redis://{{ include "financehub.fullname" . }}-redis.{{ .Release.Namespace }}.svc:6379/0
{{- else if .Values.externalRedis.url -}}
{{- .Values.externalRedis.url -}}
{{- if .Values.externalRedis.tls.caSecret }}{{ ternary "&" "?" (contains "?" .Values.externalRedis.url) }}ssl_ca_certs=/etc/financehub/redis/{{ .Values.externalRedis.tls.caKey }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* host:port, for KEDA. */}}
{{- define "financehub.redis.address" -}}
{{- $url := urlParse (include "financehub.redis.url" .) -}}
{{- $host := regexReplaceAll "^.*@" $url.host "" -}}
{{- if regexMatch ":[0-9]+$" $host }}{{ $host }}{{ else }}{{ $host }}:6379{{ end -}}
{{- end -}}

{{/* Who asks, where the URL names a user of Redis' access control lists. */}}
{{- define "financehub.redis.user" -}}
{{- $before := regexFind "//[^/@]*@" (include "financehub.redis.url" .) -}}
{{- first (splitList ":" (trimSuffix "@" (trimPrefix "//" $before))) -}}
{{- end -}}

{{/* Whether there is anything that only a Secret says of Redis; empty: no. */}}
{{- define "financehub.redis.hasSecrets" -}}
{{- if include "financehub.redis.secretName" . }}yes{{ end -}}
{{- if and .Values.externalRedis.tls.caSecret (not .Values.redis.enabled) }}yes{{ end -}}
{{- end -}}

{{- define "financehub.redis.database" -}}
{{- trimPrefix "/" (urlParse (include "financehub.redis.url" .)).path | default "0" -}}
{{- end -}}

{{- define "financehub.redis.secretEnvironment" -}}
{{- if and .Values.externalRedis.urlKey (not .Values.redis.enabled) }}
- name: REDIS_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.externalRedis.existingSecret }}
      key: {{ .Values.externalRedis.urlKey }}
{{- else if include "financehub.redis.secretName" . }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "financehub.redis.secretName" . }}
      key: {{ include "financehub.redis.passwordKey" . }}
{{- end }}
{{- end -}}
