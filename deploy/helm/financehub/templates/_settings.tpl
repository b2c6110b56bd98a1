{{/* The environment variables that all FinanceHub processes share: the data of one ConfigMap, without secrets. */}}
{{- define "financehub.settings" -}}
FINANCEHUB_HTTP_PORT: "8000"
FINANCEHUB_LOG_FORMAT: json
FINANCEHUB_RELEASE: {{ .Release.Name | quote }}
{{- with include "financehub.redis.url" . }}
REDIS_URL: {{ . | quote }}
{{- end }}
{{- with include "financehub.idleTiers" . }}
FINANCEHUB_IDLE_TIERS: {{ . }}
{{- end }}
{{- if .Values.providerKeys.existingSecret }}
FINANCEHUB_SECRETS_DIR: /etc/financehub/keys
{{- end }}
{{- if .Values.simulator.enabled }}
{{- $url := printf "http://%s-simulator:8099" (include "financehub.fullname" .) }}
FINANCEHUB_SIMULATED: "true"
{{- $providers := .Files.Get "files/providers.yaml" | fromYaml }}
{{- range $variable, $provider := $providers.urls }}
{{ $variable }}: {{ $url }}/{{ $provider }}
{{- end }}
FINANCEHUB_RSS_FEEDS: {{ $url }}/rss/yahoo,{{ $url }}/rss/cnbc,{{ $url }}/rss/marketwatch,{{ $url }}/rss/coindesk,{{ $url }}/rss/atom
{{- /* The simulator accepts any key, but a provider that requires a key is not called without one. */}}
{{- range $providers.requiredApiKeys }}
{{ . }}: simulated-key
{{- end }}
{{- end }}
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}
{{- end }}
{{- end -}}
