{{/*
  Jobs that run before or after a release's resources change. Helm sorts a hook's resources by their weights: accounts,
  roles and policies (-2), bindings (-1), Jobs (0 and more). Argo CD runs them in the phase PreSync or PostDelete and
  reads the weights as waves.
*/}}

{{/* The annotations of a hook's resource. Takes (dict "hook" "pre-install" "weight" "0"). */}}
{{- define "financehub.hookAnnotations" -}}
helm.sh/hook: {{ .hook | quote }}
helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"
helm.sh/hook-weight: {{ .weight | quote }}
{{- end }}

{{/* The metadata of a hook's resource. Takes (dict "root" $ "component" "crd" "hook" … "name" … "weight" "0"). */}}
{{- define "financehub.hookMetadata" -}}
{{- $annotations := include "financehub.hookAnnotations" . | fromYaml -}}
{{- $own := merge $annotations (.annotations | default dict) -}}
{{- include "financehub.metadata" (dict "root" .root "component" .component "name" .name "labels" .labels "annotations" $own) -}}
{{- end }}

{{/* The name of the service account of a hook. Takes the same values as financehub.hookJob. */}}
{{- define "financehub.hookAccount" -}}
{{- include "financehub.serviceAccountName" (dict "root" .root "component" .component "pod" (include "financehub.hook" . | fromJson)) -}}
{{- end -}}

{{/*
  The service account and the Job of a hook. Takes (dict "root" $ "component" "crd" "hook" … "name" … "weight" "0"
  "command" (list …) "pod" <values of the pod>).
*/}}
{{- define "financehub.hookJob" }}
{{- $pod := include "financehub.hook" . | fromJson }}
{{- $scope := dict "root" .root "component" .component "pod" $pod "job" true }}
{{- $_ := set $scope "mounts" (list (dict "name" "tmp" "mountPath" "/tmp")) }}
{{- $_ := set $scope "volumes" (list (dict "name" "tmp" "emptyDir" (dict "sizeLimit" "64Mi"))) }}
{{- if include "financehub.createsServiceAccount" $scope }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- $account := pick ($pod.serviceAccount | default dict) "labels" "annotations" }}
  {{- $_ := set $account "name" (include "financehub.serviceAccountName" $scope) }}
  {{- include "financehub.hookMetadata" (merge $account (dict "weight" "-2") .) | nindent 2 }}
automountServiceAccountToken: false
{{- end }}
{{- include "financehub.hookPolicy" . }}
---
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "financehub.hookMetadata" (merge (dict "labels" $pod.labels "annotations" $pod.annotations) .) | nindent 2 }}
spec:
  # A program repeats its work for 45 s, and all pods end within the five minutes for which Helm waits by default.
  backoffLimit: 2
  # This includes pulling the image.
  activeDeadlineSeconds: 600
  template:
    metadata:
      {{- include "financehub.podMetadata" $scope | nindent 6 }}
    spec:
      restartPolicy: Never
      {{- include "financehub.podSpec" $scope | nindent 6 }}
      containers:
        - name: {{ .component | quote }}
          command:
            {{- range .command }}
            - {{ . | quote }}
            {{- end }}
          {{- include "financehub.container" $scope | nindent 10 }}
{{- end }}

{{/*
  The policy with which the Job of a hook reaches the API server. It is part of the hook, because the release's own
  policies do not exist before the first install, nor after an uninstall. Takes the same values as financehub.hookJob.
*/}}
{{- define "financehub.hookPolicy" }}
{{- $policy := include "financehub.egressPolicy" .root | fromYaml }}
{{- if and .root.Values.networkPolicy.enabled $policy.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "financehub.hookMetadata" (merge (dict "name" (printf "%s-egress" .name) "weight" "-2") .) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "financehub.selector" . | nindent 6 }}
  policyTypes: [Egress]
  egress:
    {{- include "financehub.egress.toDns" .root | nindent 4 }}
    {{- include "financehub.egress.toApiServer" .root | nindent 4 }}
{{- end }}
{{- end }}
