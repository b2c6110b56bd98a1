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

{{/* The values of externalRedis, as YAML for fromYaml. With --reuse-values, those of an older chart lack some. */}}
{{- define "financehub.redis.external" -}}
{{- $sentinel := dict "nodes" list "master" "" "username" "" "existingSecret" "" "passwordKey" "redis-sentinel-password" -}}
{{- $tls := dict "enabled" false "checkHostname" true "caSecret" "" "caKey" "ca.crt" -}}
{{- $defaults := dict "url" "" "host" "" "port" 6379 "database" 0 "username" "" "existingSecret" "" "passwordKey" "redis-password" "urlKey" "" "sentinel" $sentinel "tls" $tls -}}
{{- toYaml (mergeOverwrite $defaults (deepCopy .Values.externalRedis)) -}}
{{- end -}}

{{/*
  The URL without a password, or empty if the whole URL is in a Secret. The host name includes the namespace, because
  KEDA connects from a different namespace.
*/}}
{{- define "financehub.redis.url" -}}
{{- if .Values.redis.enabled -}}
redis://{{ include "financehub.fullname" . }}-redis.{{ .Release.Namespace }}.svc:6379/0
{{- else -}}
{{- $external := include "financehub.redis.external" . | fromYaml -}}
{{- $options := list -}}
{{- $url := $external.url -}}
{{- if or $external.host $external.sentinel.nodes -}}
{{- $scheme := ternary "rediss" "redis" $external.tls.enabled -}}
{{- $user := ternary (printf "%s@" (include "financehub.redis.encoded" $external.username)) "" (ne $external.username "") -}}
{{- if $external.host -}}
{{- $url = printf "%s://%s%s:%d/%d" $scheme $user (include "financehub.redis.bracketed" $external.host) (int $external.port) (int $external.database) -}}
{{- else -}}
{{- $nodes := list -}}
{{- range $external.sentinel.nodes }}{{ $nodes = append $nodes (include "financehub.redis.bracketed" .) }}{{ end -}}
{{- $url = printf "%s+sentinel://%s%s/%s/%d" $scheme $user (join "," $nodes) (include "financehub.redis.encoded" $external.sentinel.master) (int $external.database) -}}
{{- with $external.sentinel.username -}}
{{- $options = append $options (printf "sentinel_username=%s" (include "financehub.redis.encoded" .)) -}}
{{- end -}}
{{- end -}}
{{- if not $external.tls.checkHostname }}{{ $options = append $options "ssl_check_hostname=false" }}{{ end -}}
{{- end -}}
{{- if $url -}}
{{- if $external.tls.caSecret -}}
{{- $options = append $options (printf "ssl_ca_certs=/etc/financehub/redis/%s" $external.tls.caKey) -}}
{{- end -}}
{{- $url -}}
{{- if $options }}{{ ternary "&" "?" (contains "?" $url) }}{{ join "&" $options }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A text as a part of a URL. */}}
{{- define "financehub.redis.encoded" -}}
{{- . | urlquery | replace "+" "%20" -}}
{{- end -}}

{{/* A host, or a host with a port. An IPv6 address without brackets gets them. */}}
{{- define "financehub.redis.bracketed" -}}
{{- if regexMatch "^[^\\[]*:.*:" . }}[{{ . }}]{{ else }}{{ . }}{{ end -}}
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

{{/* The Redis ACL user of the Sentinels in the URL; empty if there is none. */}}
{{- define "financehub.redis.sentinelUser" -}}
{{- $option := regexFind "[?&]sentinel_username=[^&]*" (include "financehub.redis.url" .) -}}
{{- include "financehub.redis.decoded" (regexReplaceAll "^[^=]*=" $option "") -}}
{{- end -}}

{{/* Whether Redis clients do not check the name in the certificate of the server: empty if they do. */}}
{{- define "financehub.redis.skipsHostname" -}}
{{- if regexMatch "[?&](ssl_check_hostname=(?i:false|no|0)|ssl_cert_reqs=none)(&|$)" (include "financehub.redis.url" .) }}yes{{ end -}}
{{- end -}}

{{/* The name of the Secret with the password of the Sentinels; empty if there is none. */}}
{{- define "financehub.redis.sentinelSecretName" -}}
{{- if not .Values.redis.enabled }}{{ (include "financehub.redis.external" . | fromYaml).sentinel.existingSecret }}{{ end -}}
{{- end -}}

{{/* Whether Redis clients need a Secret: empty if they do not. */}}
{{- define "financehub.redis.hasSecrets" -}}
{{- if include "financehub.redis.secretName" . }}yes{{ end -}}
{{- if include "financehub.redis.sentinelSecretName" . }}yes{{ end -}}
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
      name: {{ .Values.externalRedis.existingSecret | quote }}
      key: {{ .Values.externalRedis.urlKey | quote }}
{{- else if include "financehub.redis.secretName" . }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "financehub.redis.secretName" . | quote }}
      key: {{ include "financehub.redis.passwordKey" . | quote }}
{{- end }}
{{- with include "financehub.redis.sentinelSecretName" . }}
- name: REDIS_SENTINEL_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ . | quote }}
      key: {{ (include "financehub.redis.external" $ | fromYaml).sentinel.passwordKey | quote }}
{{- end }}
{{- end -}}
