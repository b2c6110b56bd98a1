{{/* The environment variables that all FinanceHub processes share: the data of one ConfigMap, without secrets. */}}
{{- define "financehub.settings" -}}
FINANCEHUB_HTTP_PORT: "8000"
FINANCEHUB_LOG_FORMAT: json
FINANCEHUB_RELEASE: {{ .Release.Name | quote }}
{{- with include "financehub.redis.url" . }}
REDIS_URL: {{ . | quote }}
{{- end }}
{{- with include "financehub.idleTiers" . }}
FINANCEHUB_IDLE_TIERS: {{ . | quote }}
{{- end }}
{{- if .Values.simulator.enabled }}
{{- $url := printf "http://%s-simulator:8099" (include "financehub.fullname" .) }}
FINANCEHUB_SIMULATED: "true"
{{- $providers := .Files.Get "files/providers.yaml" | fromYaml }}
{{- range $variable, $provider := $providers.urls }}
{{ $variable }}: {{ printf "%s/%s" $url $provider | quote }}
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

{{- /*
  Prints "true" if a text of URLs contains a user, a password, a parameter whose name says that it is secret, or a part
  that looks like a token. The rules are those of core/url_secrets.py, which masks such parts in logs; a test compares
  both.
*/}}
{{- define "financehub.settings.hasUrlSecret" -}}
{{- $found := regexMatch "://[^/?#\\s]*@" . }}
{{- /* Hosts by their labels, paths by their segments, and parameters by their values. */}}
{{- $parts := regexFindAll "[^/,\\s]+" (regexReplaceAll "://[^/?#,\\s]*|[?#][^,\\s]*" . "/") -1 }}
{{- range regexFindAll "://[^/?#,\\s]+" . -1 }}
{{- $parts = concat $parts (splitList "." .) }}
{{- end }}
{{- range regexFindAll "[?&;#][^?&;#,\\s=]*=[^?&;#,\\s]*" . -1 }}
{{- $parts = append $parts (regexReplaceAll "^[^=]*=" . "") }}
{{- $name := regexReplaceAll "([a-z0-9])([A-Z])" (regexReplaceAll "=.*" . "") "${1}_${2}" | lower }}
{{- $words := "(?:^|[^a-z0-9])(?:key|pass|pwd|pw|sig|sid|auth|apikey)(?:[^a-z0-9]|$)" }}
{{- $anywhere := "token|secret|passw|passphrase|(?:api|access|private)[-_.]?key|signature|credential|crumb|jwt|session|authorization|oauth" }}
{{- $found = or $found (regexMatch $words $name) (regexMatch $anywhere $name) }}
{{- end }}
{{- range $parts }}
{{- /* Encoded characters are separators here. */}}
{{- $text := regexReplaceAll "%[0-9A-Fa-f]{2}" . "-" }}
{{- $mixed := 0 }}
{{- $characters := 0 }}
{{- range regexFindAll "[A-Za-z0-9]+" $text -1 }}
{{- if and (regexMatch "[A-Za-z]" .) (regexMatch "[0-9]" .) }}
{{- $mixed = add $mixed 1 | int }}
{{- $characters = add $characters (len .) | int }}
{{- $found = or $found (ge (len .) 12) }}
{{- end }}
{{- $found = or $found (ge (len .) 24) }}
{{- end }}
{{- $found = or $found (and (gt $mixed 1) (ge $characters 24)) (regexMatch "^[A-Za-z0-9]{8}(?:-[A-Za-z0-9]{4}){3}-[A-Za-z0-9]{12}$" $text) }}
{{- end }}
{{- if $found }}true{{ end }}
{{- end }}
