{{/* The console. */}}

{{/* Whether the release has a console: empty if it does not. */}}
{{- define "financehub.hasWeb" -}}
{{- if .Values.web.enabled }}yes{{ end -}}
{{- end -}}

{{/* The settings that only the web process has, as entries of `env`. They do not restart other processes. */}}
{{- define "financehub.web.environment" -}}
{{- $web := .Values.web -}}
{{- $auth := $web.auth -}}
- {name: FINANCEHUB_WEB_HOST, value: "::"}
- {name: FINANCEHUB_WEB_PORT, value: "8080"}
- {name: FINANCEHUB_WEB_MODE, value: {{ $web.mode | quote }}}
{{- with $web.prefix }}
- {name: FINANCEHUB_WEB_PREFIX, value: {{ . | quote }}}
{{- end }}
{{- with $web.hosts }}
{{- /* With the names of the Service and of kubectl port-forward, which no foreign page can take. */}}
{{- $service := printf "%s-web" (include "financehub.fullname" $) }}
{{- $inside := printf "%s.%s" $service $.Release.Namespace }}
{{- $own := list "localhost" "127.0.0.1" $service $inside (printf "%s.svc" $inside) (printf "%s.svc.cluster.local" $inside) }}
- {name: FINANCEHUB_WEB_HOSTS, value: {{ join "," (concat . $own) | quote }}}
{{- end }}
{{- with $web.origins }}
- {name: FINANCEHUB_WEB_ORIGINS, value: {{ join "," . | quote }}}
{{- end }}
{{- if $auth.existingSecret }}
- {name: FINANCEHUB_WEB_TOKENS_FILE, value: {{ printf "/etc/financehub/web/%s" $auth.tokensKey | quote }}}
{{- end }}
{{- with $auth.userHeader }}
- {name: FINANCEHUB_WEB_USER_HEADER, value: {{ . | quote }}}
{{- end }}
{{- with $auth.trustedProxies }}
- {name: FINANCEHUB_WEB_TRUSTED_PROXIES, value: {{ join "," . | quote }}}
{{- end }}
{{- with $auth.operators }}
- {name: FINANCEHUB_WEB_OPERATORS, value: {{ join "," . | quote }}}
{{- end }}
{{- end -}}
