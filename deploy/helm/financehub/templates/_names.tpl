{{/* Names, labels and image references. */}}

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
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with mergeOverwrite (dict) (.root.Values.commonLabels | default dict) (.labels | default dict) }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The labels of a pod. They do not contain a version, so that a new chart version alone does not restart pods. */}}
{{- define "financehub.podLabels" -}}
{{ include "financehub.selector" . }}
app.kubernetes.io/part-of: financehub
{{- with mergeOverwrite (dict) (.root.Values.commonLabels | default dict) (.pod.podLabels | default dict) }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The reference of an image. Takes (dict "root" $ "image" <values of the image>). */}}
{{- define "financehub.image" -}}
{{- with .image.registry | default .root.Values.image.registry }}{{ . }}/{{ end -}}
{{- .image.repository -}}
{{- if .image.digest }}@{{ .image.digest }}{{ else }}:{{ .image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion }}{{ end -}}
{{- end -}}
