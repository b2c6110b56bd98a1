{{/*
  The fields of pods and containers that values can change. Each template takes a scope: (dict "root" $ "component" "web"
  "pod" <values of financehub.component>), and optionally what the chart itself adds for the component: the lists
  "initContainers", "volumes", "mounts", "env" and "envFrom", the maps "annotations" (of the pod) and "lifecycle", and
  "job" for a pod that ends by itself.
*/}}

{{/* The labels of a pod. They do not contain a version, so that a new chart version alone does not restart pods. */}}
{{- define "financehub.podLabels" -}}
{{ include "financehub.selector" . }}
app.kubernetes.io/part-of: financehub
{{- with mergeOverwrite (dict) (.root.Values.commonLabels | default dict) (.pod.podLabels | default dict) }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The metadata of a pod template: labels and annotations. */}}
{{- define "financehub.podMetadata" -}}
labels:
  {{- include "financehub.podLabels" . | nindent 2 }}
{{- with mergeOverwrite (dict) (.annotations | default dict) (.pod.podAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The fields of a pod that do not depend on what its containers do. */}}
{{- define "financehub.podSpec" -}}
{{- $pod := .pod -}}
{{- /* Service links could set an environment variable that is a setting, by the name of a Service. */}}
{{- $spec := dict "serviceAccountName" (include "financehub.serviceAccountName" .) "automountServiceAccountToken" (dig "serviceAccount" "automountToken" false $pod) "enableServiceLinks" false -}}
{{- range $field := list "priorityClassName" "runtimeClassName" "hostAliases" "dnsPolicy" "dnsConfig" "nodeSelector" "tolerations" "affinity" -}}
{{- with get $pod $field }}{{ $_ := set $spec $field . }}{{ end -}}
{{- end -}}
{{- with $pod.podSecurityContext }}{{ $_ := set $spec "securityContext" . }}{{ end -}}
{{- with include "financehub.pullSecrets" .root | fromJsonArray }}{{ $_ := set $spec "imagePullSecrets" . }}{{ end -}}
{{- with include "financehub.topologySpread" . | fromJsonArray }}{{ $_ := set $spec "topologySpreadConstraints" . }}{{ end -}}
{{- with include "financehub.initContainers" . | fromJsonArray }}{{ $_ := set $spec "initContainers" . }}{{ end -}}
{{- $volumes := concat (.volumes | default list) ($pod.extraVolumes | default list) -}}
{{- with include "financehub.join" (dict "list" "extraVolumes" "items" $volumes) | fromJsonArray }}{{ $_ := set $spec "volumes" . }}{{ end -}}
{{- toYaml $spec -}}
{{- end -}}

{{/*
  With `spread`, pods are spread across nodes if possible; a single node can still run all of them. A constraint without
  a selector counts the pods of the component.
*/}}
{{- define "financehub.topologySpread" -}}
{{- $constraints := list -}}
{{- if .pod.spread -}}
{{- $constraints = list (dict "maxSkew" 1 "topologyKey" "kubernetes.io/hostname" "whenUnsatisfiable" "ScheduleAnyway") -}}
{{- end -}}
{{- $constraints = concat $constraints (.pod.topologySpreadConstraints | default list) -}}
{{- $selector := dict "matchLabels" (include "financehub.selector" . | fromYaml) -}}
{{- $all := list -}}
{{- range include "financehub.join" (dict "list" "topologySpreadConstraints" "items" $constraints) | fromJsonArray -}}
{{- if not (hasKey . "labelSelector") }}{{ $_ := set . "labelSelector" $selector }}{{ end -}}
{{- $all = append $all . -}}
{{- end -}}
{{- toJson $all -}}
{{- end -}}

{{/*
  The containers that run before the main one. In a pod that ends by itself, sidecars are init containers that keep
  running, because the pod would otherwise wait for their end.
*/}}
{{- define "financehub.initContainers" -}}
{{- $containers := concat (.initContainers | default list) (.pod.initContainers | default list) -}}
{{- if .job -}}
{{- range .pod.sidecars -}}
{{- $containers = append $containers (merge (dict "restartPolicy" "Always") .) -}}
{{- end -}}
{{- end -}}
{{- include "financehub.join" (dict "list" "initContainers" "items" $containers) -}}
{{- end -}}

{{/* The containers beside the main one, as entries of `containers`. */}}
{{- define "financehub.sidecars" -}}
{{- if not .job -}}
{{- with .pod.sidecars }}{{ toYaml . }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* The fields of a component's main container, except its name, command, ports and probes. */}}
{{- define "financehub.container" -}}
{{- $pod := .pod -}}
{{- $container := dict "image" (include "financehub.image" (dict "root" .root "image" $pod.image)) "imagePullPolicy" ($pod.image.pullPolicy | default .root.Values.image.pullPolicy) -}}
{{- $envFrom := concat (.envFrom | default list) ($pod.extraEnvFrom | default list) -}}
{{- with include "financehub.join" (dict "list" "extraEnvFrom" "items" $envFrom) | fromJsonArray }}{{ $_ := set $container "envFrom" . }}{{ end -}}
{{- $env := include "financehub.join" (dict "list" "extraEnv" "items" (concat (.env | default list) ($pod.extraEnv | default list))) -}}
{{- if contains "$(" $env }}{{ $env = include "financehub.ordered" (fromJsonArray $env) }}{{ end -}}
{{- with fromJsonArray $env }}{{ $_ := set $container "env" . }}{{ end -}}
{{- $mounts := concat (.mounts | default list) ($pod.extraVolumeMounts | default list) -}}
{{- with include "financehub.join" (dict "list" "extraVolumeMounts" "items" $mounts) | fromJsonArray }}{{ $_ := set $container "volumeMounts" . }}{{ end -}}
{{- $lifecycle := deepCopy (.lifecycle | default dict) -}}
{{- include "financehub.merge" (dict "into" $lifecycle "from" ($pod.lifecycle | default dict)) -}}
{{- with $lifecycle }}{{ $_ := set $container "lifecycle" . }}{{ end -}}
{{- with $pod.resources }}{{ $_ := set $container "resources" . }}{{ end -}}
{{- with $pod.containerSecurityContext }}{{ $_ := set $container "securityContext" . }}{{ end -}}
{{- toYaml $container -}}
{{- end -}}
