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
{{- range list "binance" "coingecko" "kraken" "finnhub" "yahoo" "gdelt" }}
FINANCEHUB_{{ upper . }}_URL: {{ $url }}/{{ . }}
{{- end }}
FINANCEHUB_RSS_FEEDS: {{ $url }}/rss/yahoo,{{ $url }}/rss/cnbc,{{ $url }}/rss/marketwatch,{{ $url }}/rss/coindesk,{{ $url }}/rss/atom
{{- /* The simulator accepts any key. Without a key, Finnhub is not called. */}}
FINANCEHUB_FINNHUB_API_KEY: simulated-key
{{- end }}
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}
{{- end }}
{{- end -}}
