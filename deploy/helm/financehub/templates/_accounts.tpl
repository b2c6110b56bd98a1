{{/* Service accounts. */}}

{{/* The name of the service account of a component's pods. Takes the scope of the component. */}}
{{- define "financehub.serviceAccountName" -}}
{{- dig "serviceAccount" "name" "" .pod | default .pod.account | default (printf "%s-%s" (include "financehub.fullname" .root) .component) -}}
{{- end -}}

{{/* Whether the chart creates the service account of a component: empty if it does not. Takes the scope of the component. */}}
{{- define "financehub.createsServiceAccount" -}}
{{- if dig "serviceAccount" "create" true .pod }}yes{{ end -}}
{{- end -}}

{{/*
  A service account with the labels and annotations of its components. Takes (dict "root" $ "component" "web" "name"
  <name> "labels" <map> "annotations" <map>).
*/}}
{{- define "financehub.serviceAccount" }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "financehub.metadata" . | nindent 2 }}
# Pods that need the API server mount a token explicitly.
automountServiceAccountToken: false
{{- end }}
