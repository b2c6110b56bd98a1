{{/* The values of a component's pods. */}}

{{/*
  The values of a component's pods as JSON: podDefaults, the chart's own values for the component ("own"), and its section
  ("pod"), each merged over the previous one. Takes (dict "root" $ "component" "web" "pod" .Values.web), and optionally
  "own".
*/}}
{{- define "financehub.component" -}}
{{- $pod := include "financehub.podDefaults" .root | fromJson -}}
{{- if eq .component "redis" -}}
{{- /* Variables of podDefaults are for FinanceHub's own containers. */}}
{{- $pod = omit $pod "extraEnv" "extraEnvFrom" -}}
{{- end -}}
{{- range $values := list .own .pod -}}
{{- include "financehub.merge" (dict "into" $pod "from" (deepCopy ($values | default dict))) -}}
{{- end -}}
{{- /* Null for a service account or its token means the default, because a hook fails without a token. */}}
{{- $account := $pod.serviceAccount | default dict -}}
{{- if and (hasKey ((.own | default dict).serviceAccount | default dict) "automountToken") (not (hasKey $account "automountToken")) -}}
{{- $_ := set $account "automountToken" .own.serviceAccount.automountToken -}}
{{- $_ := set $pod "serviceAccount" $account -}}
{{- end -}}
{{- include "financehub.dropOwnIds" (dict "root" .root "pod" $pod) -}}
{{- toJson $pod -}}
{{- end -}}

{{/*
  The chart's own values for the pods of hooks and tests, which end by themselves. They run where the scheduler runs. A
  service mesh must not add its proxy to them, because it would never end, and nothing can connect before it is ready.
*/}}
{{- define "financehub.jobValues" -}}
{{- $own := dict -}}
{{- include "financehub.merge" (dict "into" $own "from" (pick .Values.scheduler "priorityClassName" "nodeSelector" "tolerations" "affinity" "podLabels")) -}}
{{- $_ := set $own "podLabels" (set ($own.podLabels | default dict) "sidecar.istio.io/inject" "false") -}}
{{- $_ := set $own "podAnnotations" (dict "linkerd.io/inject" "disabled") -}}
{{- $_ := set $own "resources" (dict "requests" (dict "cpu" "10m" "memory" "64Mi") "limits" (dict "memory" "256Mi")) -}}
{{- toJson $own -}}
{{- end -}}

{{/* The defaults of all pods as JSON, which each component reads. */}}
{{- define "financehub.podDefaults" -}}
{{- if not (hasKey .Values "_podDefaults") -}}
{{- $pod := dict -}}
{{- include "financehub.merge" (dict "into" $pod "from" .Values.podDefaults) -}}
{{- $_ := set .Values "_podDefaults" (toJson $pod) -}}
{{- end -}}
{{- get .Values "_podDefaults" -}}
{{- end -}}

{{/* Whether the cluster is OpenShift, which assigns the ids of users and groups itself: empty if it is not. */}}
{{- define "financehub.isOpenShift" -}}
{{- $enabled := dig "enabled" "auto" (.Values.openshift | default dict) | toString -}}
{{- if eq $enabled "auto" -}}
{{- if .Capabilities.APIVersions.Has "security.openshift.io/v1" }}yes{{ end -}}
{{- else if eq $enabled "true" }}yes{{ end -}}
{{- end -}}

{{/* Removes the chart's own ids on OpenShift. It keeps other ids. Takes (dict "root" $ "pod" <values, which it changes>). */}}
{{- define "financehub.dropOwnIds" -}}
{{- if include "financehub.isOpenShift" .root -}}
{{- range $context := list .pod.podSecurityContext .pod.containerSecurityContext -}}
{{- range $id := list "runAsUser" "runAsGroup" "fsGroup" -}}
{{- if eq (get ($context | default dict) $id | toString) "10001" }}{{ $_ := unset $context $id }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The values of the scheduler's pods. It is a client of the API server, so it has a token. */}}
{{- define "financehub.scheduler" -}}
{{- $own := dict "serviceAccount" (dict "automountToken" true) -}}
{{- include "financehub.component" (dict "root" . "component" "scheduler" "own" $own "pod" .Values.scheduler) -}}
{{- end -}}

{{/*
  The values of the pods of a hook, whose program is in the image of the scheduler. Takes (dict "root" $ "component" "crd"
  "name" <name of the Job and its account> "pod" .Values.crds).
*/}}
{{- define "financehub.hook" -}}
{{- $own := include "financehub.jobValues" .root | fromJson -}}
{{- $account := dict "account" .name "serviceAccount" (dict "automountToken" true) -}}
{{- include "financehub.merge" (dict "into" $own "from" (merge $account (pick .root.Values.scheduler "image"))) -}}
{{- include "financehub.component" (dict "root" .root "component" .component "own" $own "pod" .pod) -}}
{{- end -}}

{{/* The values of the console's pods. */}}
{{- define "financehub.webPod" -}}
{{- include "financehub.component" (dict "root" . "component" "web" "pod" .Values.web) -}}
{{- end -}}

{{/* The values of the simulator's pod. */}}
{{- define "financehub.simulator" -}}
{{- include "financehub.component" (dict "root" . "component" "simulator" "pod" .Values.simulator) -}}
{{- end -}}
