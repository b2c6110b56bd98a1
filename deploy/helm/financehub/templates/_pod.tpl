{{/* The parts that all pods share. The pods comply with the restricted Pod Security Standard. */}}

{{- define "financehub.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "financehub.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* The fields that determine a pod's nodes. Takes (dict "root" $ "component" "high" "pod" <values of the pod>). */}}
{{- define "financehub.placement" -}}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .pod.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .pod.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .pod.spread }}
# Pods are spread across nodes if possible; a single node can still run all of them.
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "financehub.selector" . | nindent 8 }}
{{- end }}
{{- end -}}

{{/* The annotations of a pod that reads its settings from the environment. */}}
{{- define "financehub.podAnnotations" -}}
# Processes read their settings at startup, so a change must replace the pods.
checksum/settings: {{ include "financehub.settings" .root | sha256sum }}
{{- $annotations := dict "prometheus.io/scrape" "true" "prometheus.io/port" "8000" "prometheus.io/path" "/metrics" }}
{{- $added := ternary $annotations (dict) (and .root.Values.metrics.enabled .root.Values.metrics.annotations) }}
{{- with mergeOverwrite $added (.pod.podAnnotations | default dict) }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Probes for the endpoints that every FinanceHub process serves. */}}
{{- define "financehub.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: http}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}

{{/* The environment of a FinanceHub process. Takes (dict "root" $ "component" "high" "pod" <values of the pod>). */}}
{{- define "financehub.environment" -}}
envFrom:
  - configMapRef:
      name: {{ include "financehub.fullname" .root }}-settings
  {{- with .pod.extraEnvFrom }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
env:
  {{- include "financehub.redis.secretEnvironment" .root | nindent 2 }}
  {{- if include "financehub.mountsProviderKeys" . }}
  - {name: FINANCEHUB_SECRETS_DIR, value: /etc/financehub/keys}
  {{- end }}
  {{- if eq .component "scheduler" }}
  # Only the scheduler has this setting, so that a changed maximum does not restart workers.
  - {name: FINANCEHUB_MAX_WORKERS, value: {{ include "financehub.maxWorkers" .root | quote }}}
  {{- end }}
  {{- if eq .component "web" }}
  {{- include "financehub.web.environment" .root | nindent 2 }}
  {{- end }}
  {{- with .pod.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Whether a process reads the providers' keys: empty if it does not. The console never calls a provider. */}}
{{- define "financehub.mountsProviderKeys" -}}
{{- if and .root.Values.providerKeys.existingSecret (ne .component "web") }}yes{{ end -}}
{{- end -}}

{{- define "financehub.volumeMounts" -}}
- name: tmp
  mountPath: /tmp
{{- if include "financehub.mountsProviderKeys" . }}
- name: provider-keys
  mountPath: /etc/financehub/keys
  readOnly: true
{{- end }}
{{- if .root.Values.externalRedis.tls.caSecret }}
- name: redis-ca
  mountPath: /etc/financehub/redis
  readOnly: true
{{- end }}
{{- with .pod.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "financehub.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 256Mi
{{- if include "financehub.mountsProviderKeys" . }}
- name: provider-keys
  secret:
    secretName: {{ .root.Values.providerKeys.existingSecret }}
{{- end }}
{{- with .root.Values.externalRedis.tls.caSecret }}
- name: redis-ca
  secret:
    secretName: {{ . }}
{{- end }}
{{- with .pod.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
  The beginning of a command. The first process of a container ignores SIGTERM until it has a handler, so a pod that is
  deleted while Python starts would run until the end of its grace period, which takes minutes. A blocked SIGTERM waits:
  each process installs its handler and then unblocks the signal.
*/}}
{{- define "financehub.holdSigterm" -}}
- env
- --block-signal=TERM
{{- end -}}

{{/*
  With the simulator, a worker starts only after the simulator listens. Otherwise its first fetches would fail and open
  circuit breakers, and the breaker of a fallback provider would stay open until that provider is needed.
*/}}
{{- define "financehub.awaitSimulator" -}}
{{- if .root.Values.simulator.enabled }}
initContainers:
  - name: await-simulator
    image: {{ include "financehub.image" (dict "root" .root "image" .pod.image) }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    command:
      {{- include "financehub.holdSigterm" . | nindent 6 }}
      - python
      - -c
      - |
        import signal, socket, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        while True:
            try:
                socket.create_connection(("{{ include "financehub.fullname" .root }}-simulator", 8099), timeout=2).close()
                break
            except OSError:
                time.sleep(0.5)
    resources:
      {{- toYaml .pod.resources | nindent 6 }}
    securityContext:
      {{- include "financehub.containerSecurity" .root | nindent 6 }}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
{{- end }}
{{- end -}}
