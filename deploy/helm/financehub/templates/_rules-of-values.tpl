{{/* The rules of files/formats.json, which concern several keys of a map or all items of a list. */}}

{{/* Prints a line if a map breaks a rule. Takes (dict "rule" <rule> "value" <map> "path" "web.extraEnv[0]"). */}}
{{- define "financehub.formats.broken" -}}
{{- $rule := .rule -}}
{{- $keys := $rule.one | default $rule.most | default $rule.some | default list -}}
{{- $set := include "financehub.formats.filled" (dict "value" .value "keys" $keys) | fromJsonArray -}}
{{- if and $keys (gt (len $set) 1) (not $rule.some) }}
{{ .path }}: {{ join " and " $set }} are both set; write only one of them
{{- else if and $keys (not $set) (not $rule.most) }}
{{ if eq (len $keys) 1 }}{{ .path }}.{{ first $keys }}: missing; write it{{ else }}{{ .path }}: none of {{ join ", " $keys }} is set; write one of them{{ end }}
{{- end -}}
{{- if $rule.when -}}
{{- $applies := true -}}
{{- $case := list -}}
{{- range $key, $choices := $rule.when -}}
{{- $each := get $.value $key -}}
{{- $text := ternary "" (toString $each) (kindIs "invalid" $each) -}}
{{- if not (has $text $choices) }}{{ $applies = false }}{{ end -}}
{{- $case = append $case (ternary (printf "%s is missing" $key) (printf "%s is %s" $key $text) (eq $text "")) -}}
{{- end -}}
{{- if $applies -}}
{{- range $key := $rule.needs -}}
{{- if not (include "financehub.formats.filled" (dict "value" $.value "keys" (list $key)) | fromJsonArray) }}
{{ $.path }}.{{ $key }}: missing, although {{ join ", " $case }}; write it
{{- end -}}
{{- end -}}
{{- range include "financehub.formats.filled" (dict "value" $.value "keys" ($rule.refuses | default list)) | fromJsonArray }}
{{ $.path }}.{{ . }}: cannot be set if {{ join ", " $case }}; remove one of them
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Those of the keys that are set, as JSON: null, "", false and [] are not. Takes (dict "value" <map> "keys" <list>). */}}
{{- define "financehub.formats.filled" -}}
{{- $found := list -}}
{{- range .keys -}}
{{- $each := get $.value . -}}
{{- if or $each (and (kindIs "map" $each) (hasKey $.value .)) }}{{ $found = append $found . }}{{ end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* Prints a line if a list breaks a rule. Takes (dict "rule" <rule> "value" <list> "path" "redis.persistence.accessModes"). */}}
{{- define "financehub.formats.brokenOfList" -}}
{{- $rule := .rule -}}
{{- if lt (len .value) (int ($rule.least | default 0)) }}
{{ .path }}: [] is empty; write at least {{ int $rule.least }} entry, or leave the key out
{{- end -}}
{{- if and $rule.limit (gt (len .value) (int $rule.limit)) }}
{{ .path }}: has {{ len .value }} entries; write at most {{ int $rule.limit }}
{{- end -}}
{{- if $rule.distinct -}}
{{- $seen := list -}}
{{- range .value -}}
{{- $each := toString (get . $rule.distinct) -}}
{{- if has $each $seen }}
{{ $.path }}: {{ $each }} is written twice; remove one of them
{{- end -}}
{{- $seen = append $seen $each -}}
{{- end -}}
{{- end -}}
{{- end -}}
