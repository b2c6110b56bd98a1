{{/*
  Every enabled component of the release with its values, as JSON, for checks that concern all pods: a list of
  {section: <its path in the values>, component: <its name>, pod: <its merged values>}. Like the tiers, they are merged
  once in a rendering.
*/}}
{{- define "financehub.sections" -}}
{{- if not (hasKey .Values "_sections") }}{{ $_ := set .Values "_sections" (include "financehub.mergedSections" .) }}{{ end -}}
{{- get .Values "_sections" -}}
{{- end -}}

{{- define "financehub.mergedSections" -}}
{{- $sections := list -}}
{{- range $name, $tier := include "financehub.tiers" . | fromJson -}}
{{- $sections = append $sections (dict "section" (printf "tiers.%s" $name) "component" $name "pod" $tier) -}}
{{- end -}}
{{- $sections = append $sections (dict "section" "scheduler" "component" "scheduler" "pod" (include "financehub.scheduler" . | fromJson)) -}}
{{- if include "financehub.hasWeb" . -}}
{{- $sections = append $sections (dict "section" "web" "component" "web" "pod" (include "financehub.webPod" . | fromJson)) -}}
{{- end -}}
{{- if .Values.redis.enabled -}}
{{- $sections = append $sections (dict "section" "redis" "component" "redis" "pod" (include "financehub.redis.pod" . | fromJson)) -}}
{{- end -}}
{{- if .Values.simulator.enabled -}}
{{- $sections = append $sections (dict "section" "simulator" "component" "simulator" "pod" (include "financehub.simulator" . | fromJson)) -}}
{{- end -}}
{{- if include "financehub.hasTests" . -}}
{{- $sections = append $sections (dict "section" "tests" "component" "test" "pod" (include "financehub.tests" . | fromJson)) -}}
{{- end -}}
{{- $hooks := dict -}}
{{- if .Values.crds.enabled }}{{ $_ := set $hooks "crds" .Values.crds }}{{ end -}}
{{- if and .Values.redis.enabled (not .Values.redis.existingSecret) }}{{ $_ := set $hooks "redis.passwordJob" .Values.redis.passwordJob }}{{ end -}}
{{- range $section, $values := $hooks -}}
{{- $hook := include "financehub.hook" (dict "root" $ "component" "hook" "name" "" "pod" $values) | fromJson -}}
{{- $sections = append $sections (dict "section" $section "component" "hook" "pod" $hook) -}}
{{- end -}}
{{- toJson $sections -}}
{{- end -}}
