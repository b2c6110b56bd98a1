{{/* The pods of `helm test`. */}}

{{/*
  The metadata of a test pod, which is both a resource of the release and a pod. Takes (dict "scope" <scope of the pod>
  "name" "test").
*/}}
{{- define "financehub.testMetadata" -}}
{{- $hook := dict "helm.sh/hook" "test" "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded" -}}
{{- $pod := include "financehub.podMetadata" .scope | fromYaml -}}
{{- $own := .scope.pod -}}
name: {{ printf "%s-%s" (include "financehub.fullname" .scope.root) .name | quote }}
labels:
  {{- toYaml (merge $pod.labels ($own.labels | default dict)) | nindent 2 }}
annotations:
  {{- toYaml (merge $hook ($pod.annotations | default dict) ($own.annotations | default dict) (.scope.root.Values.commonAnnotations | default dict)) | nindent 2 }}
{{- end -}}

{{/* Whether the release has tests: empty if it does not. */}}
{{- define "financehub.hasTests" -}}
{{- if dig "enabled" true (.Values.tests | default dict) }}yes{{ end -}}
{{- end -}}

{{/* The values of the test pods, without their image. They have the variables and volumes of the scheduler. */}}
{{- define "financehub.tests" -}}
{{- $own := include "financehub.jobValues" . | fromJson -}}
{{- include "financehub.merge" (dict "into" $own "from" (pick .Values.scheduler "extraEnv" "extraEnvFrom" "extraVolumes" "extraVolumeMounts")) -}}
{{- include "financehub.component" (dict "root" . "component" "test" "own" $own "pod" .Values.tests) -}}
{{- end -}}
