{{/*
  The defaults of missing values. Helm removes a key that a user leaves empty (null), and the values that an older chart
  wrote lack the newer keys (helm upgrade --reuse-values). A missing key must not turn anything off.
*/}}

{{/*
  Changes .Values, which all templates of a rendering share: each missing key of files/defaults.json gets its default. Helm
  renders the deepest folders first, so templates/validation/formats/check.yaml calls this before any other template reads
  a value.
*/}}
{{- define "financehub.fillValues" -}}
{{- $book := .Files.Get "files/defaults.json" | fromJson -}}
{{- $own := .Values.podDefaults | default dict -}}
{{- include "financehub.fill" (dict "into" .Values "keys" $book.keys "values" $book.values) -}}
{{- /*
  null removes a key of podDefaults, so a missing one says nothing. But if most of them are missing, an older chart without
  podDefaults wrote the values, and what is there is only what a user adds to the defaults.
*/}}
{{- if lt (mul 2 (len $own)) (len $book.values.podDefaults) -}}
{{- $pod := deepCopy $book.values.podDefaults -}}
{{- include "financehub.merge" (dict "into" $pod "from" $own) -}}
{{- $_ := set .Values "podDefaults" $pod -}}
{{- end -}}
{{- end -}}

{{/* Sets the missing keys of a map. Takes (dict "into" <map, which it changes> "keys" <of defaults.json> "values" <map>). */}}
{{- define "financehub.fill" -}}
{{- range $key, $below := .keys -}}
{{- $value := get $.values $key -}}
{{- /* `get` returns "" for a missing key. */}}
{{- if or (not (hasKey $.into $key)) (kindIs "invalid" (get $.into $key)) -}}
{{- $_ := set $.into $key (deepCopy $value) -}}
{{- else if and (kindIs "map" $below) (kindIs "map" (get $.into $key)) -}}
{{- include "financehub.fill" (dict "into" (get $.into $key) "keys" $below "values" $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}
