{{/*
  The checks of files/formats.json. values.schema.json has no patterns, because the message of a pattern does not say what
  to write.
*/}}

{{/*
  Prints one line for each string in a value whose format is wrong. Takes (dict "book" <content of formats.json> "value"
  <any value> "tree" <formats in it> "path" "image.registry"). Maps of pods outside of lists are merged with those of
  podDefaults, so their rules are checked only in the result, for which "inList" is "yes".
*/}}
{{- define "financehub.formats.mistakes" -}}
{{- $tree := .tree -}}
{{- if kindIs "string" $tree -}}
{{- if hasPrefix "@" $tree -}}
{{- $isMerged := and (hasPrefix "@kubernetes " $tree) (not .inList) -}}
{{- include "financehub.formats.mistakes" (dict "book" .book "value" .value "path" .path "tree" (get .book.types (trimPrefix "@" $tree)) "inList" .inList "isMerged" (or $isMerged .isMerged)) -}}
{{- else if kindIs "string" .value -}}
{{- include "financehub.formats.mistake" (dict "book" .book "format" $tree "value" .value "path" .path) -}}
{{- end -}}
{{- else if kindIs "string" .value -}}
{{- with get $tree "@self" -}}
{{- include "financehub.formats.mistake" (dict "book" $.book "format" . "value" $.value "path" $.path) -}}
{{- end -}}
{{- else if kindIs "map" .value -}}
{{- if not .isMerged -}}
{{- range get $tree "@rules" | default list -}}{{- include "financehub.formats.broken" (dict "rule" . "value" $.value "path" $.path) -}}{{- end -}}
{{- end -}}
{{- range $name, $value := .value -}}
{{- $shown := ternary $name (quote $name) (regexMatch "^[-A-Za-z0-9_./]+$" $name) -}}
{{- $path := trimPrefix "." (printf "%s.%s" $.path $shown) -}}
{{- with get $tree "@keys" -}}
{{- include "financehub.formats.mistake" (dict "book" $.book "format" (printf "%s!" .) "value" $name "path" $path) -}}
{{- end -}}
{{- with get $tree $name | default (get $tree "*") -}}
{{- include "financehub.formats.mistakes" (dict "book" $.book "value" $value "tree" . "path" $path "inList" $.inList "isMerged" $.isMerged) -}}
{{- end -}}
{{- end -}}
{{- else if kindIs "slice" .value -}}
{{- if not .isMerged -}}
{{- range get $tree "@rules" | default list -}}{{- include "financehub.formats.brokenOfList" (dict "rule" . "value" $.value "path" $.path) -}}{{- end -}}
{{- end -}}
{{- with get $tree "*" -}}
{{- $each := . -}}
{{- range $index, $value := $.value -}}
{{- include "financehub.formats.mistakes" (dict "book" $.book "value" $value "tree" $each "path" (printf "%s[%d]" $.path $index) "inList" "yes") -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Prints a line if a string does not have its format. A format that ends with ! refuses the empty string too. */}}
{{- define "financehub.formats.mistake" -}}
{{- $checks := get .book.formats (trimSuffix "!" .format) -}}
{{- if .value -}}
{{- $mistake := "" -}}
{{- range $checks -}}
{{- $isWrong := ternary (regexMatch (.refuse | default "") $.value) (not (regexMatch (.require | default "") $.value)) (hasKey . "refuse") -}}
{{- if and $isWrong (not $mistake) -}}
{{- $mistake = printf "%s: %q %s; %s" $.path $.value .wrong .write -}}
{{- end -}}
{{- end -}}
{{- with $mistake }}
{{ . }}
{{- end -}}
{{- else if hasSuffix "!" .format }}
{{ .path }}: "" is empty; {{ get (last $checks | default dict) "write" | default "write a text" }}
{{- end -}}
{{- end -}}
