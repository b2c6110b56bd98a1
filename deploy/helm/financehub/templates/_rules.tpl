{{/*
  The rule groups of files/rules as JSON, read once in a rendering. They are not rendered as templates, because {{ }} is
  for Prometheus.
*/}}
{{- define "financehub.ruleGroups" -}}
{{- if not (hasKey .Values "_ruleGroups") -}}
{{- $groups := list -}}
{{- range $path, $_ := .Files.Glob "files/rules/*.yaml" -}}
{{- $groups = concat $groups ($.Files.Get $path | fromYaml).groups -}}
{{- end -}}
{{- $_ := set .Values "_ruleGroups" (toJson $groups) -}}
{{- end -}}
{{- get .Values "_ruleGroups" -}}
{{- end -}}

{{/* The names of all alerts, separated by commas. */}}
{{- define "financehub.alertNames" -}}
{{- $names := list -}}
{{- range include "financehub.ruleGroups" . | fromJsonArray -}}
{{- range .rules -}}
{{- with .alert }}{{ $names = append $names . }}{{ end -}}
{{- end -}}
{{- end -}}
{{- join ", " (sortAlpha $names) -}}
{{- end -}}

{{/* An alert with the values applied, as JSON. Takes (dict "values" <metrics.prometheusRule> "alert" <the rule>). */}}
{{- define "financehub.alert" -}}
{{- $alert := .alert -}}
{{- $override := get (.values.overrides | default dict) $alert.alert | default dict -}}
{{- range $key := list "expr" "for" -}}
{{- with get $override $key }}{{ $_ := set $alert $key . }}{{ end -}}
{{- end -}}
{{- $labels := mergeOverwrite ($alert.labels | default dict) (.values.ruleLabels | default dict) ($override.labels | default dict) -}}
{{- with $override.severity }}{{ $_ := set $labels "severity" . }}{{ end -}}
{{- $annotations := $alert.annotations | default dict -}}
{{- if and .values.runbookUrl $annotations.runbook_url -}}
{{- $page := trimPrefix "docs/runbooks/" $annotations.runbook_url -}}
{{- $_ := set $annotations "runbook_url" (printf "%s/%s" (trimSuffix "/" .values.runbookUrl) $page) -}}
{{- end -}}
{{- $annotations = mergeOverwrite $annotations ($override.annotations | default dict) -}}
{{- toJson (merge (dict "labels" $labels "annotations" $annotations) $alert) -}}
{{- end -}}

{{/* The seconds of a duration in s or m. */}}
{{- define "financehub.seconds" -}}
{{- mul (regexFind "^[0-9]+" .) (ternary 60 1 (hasSuffix "m" .)) -}}
{{- end -}}
