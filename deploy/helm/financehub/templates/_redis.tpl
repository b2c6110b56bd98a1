{{/* The address of Redis and the Secrets that its clients read. */}}

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

{{/*
  The URL without a password, or empty if the whole URL is in a Secret. The host name includes the namespace, because
  KEDA connects from a different namespace.
*/}}
{{- define "financehub.redis.url" -}}
{{- if .Values.redis.enabled -}}
redis://{{ include "financehub.fullname" . }}-redis.{{ .Release.Namespace }}.svc:6379/0
{{- else if .Values.externalRedis.url -}}
{{- .Values.externalRedis.url -}}
{{- if .Values.externalRedis.tls.caSecret }}{{ ternary "&" "?" (contains "?" .Values.externalRedis.url) }}ssl_ca_certs=/etc/financehub/redis/{{ .Values.externalRedis.tls.caKey }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* Whether the URL names Sentinels: empty if it does not. */}}
{{- define "financehub.redis.usesSentinel" -}}
{{- if regexMatch "^rediss?[+]sentinel://" (include "financehub.redis.url" .) }}yes{{ end -}}
{{- end -}}

{{/* The address as host:port, or the addresses of the Sentinels with commas between them, for KEDA. */}}
{{- define "financehub.redis.address" -}}
{{- $port := ternary "26379" "6379" (eq "yes" (include "financehub.redis.usesSentinel" .)) -}}
{{- $hosts := regexReplaceAll "^[^/]*//(?:[^/?]*@)?([^/?]*).*$" (include "financehub.redis.url" .) "${1}" -}}
{{- $addresses := list -}}
{{- range $host := splitList "," $hosts -}}
{{- $addresses = append $addresses (ternary $host (printf "%s:%s" $host $port) (regexMatch ":[0-9]+$" $host)) -}}
{{- end -}}
{{- join "," $addresses -}}
{{- end -}}

{{/* The path of the URL: the database, or the name of the service and the database if it names Sentinels. */}}
{{- define "financehub.redis.path" -}}
{{- regexReplaceAll "^[^/]*//[^/?]*/?([^?]*).*$" (include "financehub.redis.url" .) "${1}" -}}
{{- end -}}

{{/* A part of a URL without its percent-encoding, which KEDA does not decode. */}}
{{- define "financehub.redis.decoded" -}}
{{- trimPrefix "/" (get (urlParse (printf "redis://host/%s" .)) "path") -}}
{{- end -}}

{{/* The name of the master that the Sentinels monitor. */}}
{{- define "financehub.redis.service" -}}
{{- if include "financehub.redis.usesSentinel" . -}}
{{- include "financehub.redis.decoded" (first (splitList "/" (include "financehub.redis.path" .))) -}}
{{- end -}}
{{- end -}}

{{/* The Redis ACL user in the URL; empty if there is none. */}}
{{- define "financehub.redis.user" -}}
{{- $before := regexFind "//[^/@]*@" (include "financehub.redis.url" .) -}}
{{- include "financehub.redis.decoded" (first (splitList ":" (trimSuffix "@" (trimPrefix "//" $before)))) -}}
{{- end -}}

{{/* Whether Redis clients need a Secret: empty if they do not. */}}
{{- define "financehub.redis.hasSecrets" -}}
{{- if include "financehub.redis.secretName" . }}yes{{ end -}}
{{- if and .Values.externalRedis.tls.caSecret (not .Values.redis.enabled) }}yes{{ end -}}
{{- end -}}

{{- define "financehub.redis.database" -}}
{{- $path := include "financehub.redis.path" . -}}
{{- if include "financehub.redis.usesSentinel" . -}}
{{- $path = regexReplaceAll "^[^/]*/?" $path "" -}}
{{- end -}}
{{- $path | default "0" -}}
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

{{/* Redis's memory limit: 60 % of the container's memory, in MB. */}}
{{- define "financehub.redis.maxmemory" -}}
{{ div (mul (include "financehub.mebibytes" .Values.redis.memory | int) 6) 10 }}mb
{{- end }}

{{/* A quantity in Mi, Gi or Ti, converted to MiB. */}}
{{- define "financehub.mebibytes" -}}
{{- $units := dict "Mi" 1 "Gi" 1024 "Ti" 1048576 -}}
{{- mul (regexFind "^[0-9]+" . | int) (get $units (regexFind "[A-Z]i$" .)) -}}
{{- end }}
