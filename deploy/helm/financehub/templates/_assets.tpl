{{- /*
  The assets of the values as YAML with one list, `assets`, in which each entry has its symbol: the form of the assets
  file. An entry or a field that is null is left out. In the values, `assets` is a map by symbol, or a list of entries
  with `symbol`, which is the form of the chart 0.1.0 and stays in the stored values of its releases.
*/}}
{{- define "financehub.assets" -}}
{{- $entries := list -}}
{{- if kindIs "map" .Values.assets -}}
{{- range $symbol, $fields := .Values.assets -}}
{{- if not (kindIs "invalid" $fields) -}}
{{- $entries = append $entries (mergeOverwrite (dict) $fields (dict "symbol" $symbol)) -}}
{{- end -}}
{{- end -}}
{{- else -}}
{{- $entries = .Values.assets | default list -}}
{{- end -}}
assets:
{{- range $entries }}
{{- $entry := dict }}
{{- range $name, $value := . }}
{{- if kindIs "map" $value }}
{{- $own := dict }}
{{- range $provider, $symbol := $value }}
{{- if not (kindIs "invalid" $symbol) }}
{{- $_ := set $own $provider $symbol }}
{{- end }}
{{- end }}
{{- $value = $own }}
{{- end }}
{{- if not (kindIs "invalid" $value) }}
{{- $_ := set $entry $name $value }}
{{- end }}
{{- end }}
  - {{ toJson $entry }}
{{- else }} []
{{- end }}
{{- end -}}
