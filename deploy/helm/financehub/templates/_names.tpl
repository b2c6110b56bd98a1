{{/* Names, labels, metadata and image references. */}}

{{- define "financehub.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* The prefix of every resource name: the release name, plus the chart's name unless the former contains it. */}}
{{- define "financehub.fullname" -}}
{{- $name := include "financehub.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The selector labels, which are immutable. Takes (dict "root" $ "component" "high"). */}}
{{- define "financehub.selector" -}}
app.kubernetes.io/name: {{ include "financehub.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component | quote }}
{{- end -}}

{{/* The labels of a resource. Takes (dict "root" $ "component" "high"), and optionally more labels under "labels". */}}
{{- define "financehub.labels" -}}
{{ include "financehub.selector" . }}
app.kubernetes.io/part-of: financehub
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | quote }}
{{- with mergeOverwrite (dict) (.root.Values.commonLabels | default dict) (.labels | default dict) }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
  The name, labels and annotations of a resource. Takes (dict "root" $ "component" "high"), and optionally a "name" (by
  default <fullname>-<component>), a "namespace", and more "labels" and "annotations", which take precedence.
*/}}
{{- define "financehub.metadata" -}}
name: {{ .name | default (printf "%s-%s" (include "financehub.fullname" .root) .component) | quote }}
{{- with .namespace }}
namespace: {{ . | quote }}
{{- end }}
labels:
  {{- include "financehub.labels" . | nindent 2 }}
{{- with mergeOverwrite (dict) (.root.Values.commonAnnotations | default dict) (.annotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The metadata of a workload, with its own labels and annotations. Takes the scope of a component (see _pod.tpl). */}}
{{- define "financehub.workloadMetadata" -}}
{{- include "financehub.metadata" (dict "root" .root "component" .component "labels" .pod.labels "annotations" .pod.annotations) -}}
{{- end -}}

{{/* The reference of an image. Takes (dict "root" $ "image" <values of the image>). */}}
{{- define "financehub.image" -}}
{{- with .image.registry | default .root.Values.image.registry | default (.root.Values.global | default dict).imageRegistry }}{{ . }}/{{ end -}}
{{- .image.repository -}}
{{- if .image.digest }}@{{ .image.digest }}{{ else }}:{{ .image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion }}{{ end -}}
{{- end -}}

{{/* The Secrets with registry credentials, as a JSON list. The values are names or objects with a name. */}}
{{- define "financehub.pullSecrets" -}}
{{- $secrets := list -}}
{{- range concat ((.Values.global | default dict).imagePullSecrets | default list) (.Values.image.pullSecrets | default list) -}}
{{- $secrets = append $secrets (ternary (dict "name" .) . (kindIs "string" .)) -}}
{{- end -}}
{{- include "financehub.join" (dict "list" "imagePullSecrets" "items" $secrets) -}}
{{- end -}}
