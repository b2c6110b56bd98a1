{{/* What the chart adds to the pods of FinanceHub's processes: settings, secrets, folders, probes and commands. */}}

{{/*
  The chart's own parts of a process's pod, for the scope of the component, as YAML. Takes (dict "root" $ "component"
  "high" "pod" <values of the pod>).
*/}}
{{- define "financehub.process" -}}
annotations:
  {{- include "financehub.processAnnotations" . | nindent 2 }}
envFrom:
  - configMapRef: {name: {{ include "financehub.fullname" .root }}-settings}
env:
  {{- include "financehub.processEnvironment" . | nindent 2 }}
mounts:
  {{- include "financehub.processMounts" . | nindent 2 }}
volumes:
  {{- include "financehub.processVolumes" . | nindent 2 }}
{{- end -}}

{{/* Processes read their settings at startup, so a changed checksum must replace the pods. */}}
{{- define "financehub.processAnnotations" -}}
checksum/settings: {{ include "financehub.settings" .root | sha256sum | quote }}
{{- if and .root.Values.metrics.enabled .root.Values.metrics.annotations }}
prometheus.io/scrape: "true"
prometheus.io/port: "8000"
prometheus.io/path: /metrics
{{- end }}
{{- end -}}

{{- define "financehub.processEnvironment" -}}
{{- include "financehub.redis.secretEnvironment" .root }}
{{- if include "financehub.mountsProviderKeys" . }}
- {name: FINANCEHUB_SECRETS_DIR, value: /etc/financehub/keys}
{{- end }}
{{- if eq .component "scheduler" }}
# Only the scheduler has this setting, so that a changed maximum does not restart workers.
- {name: FINANCEHUB_MAX_WORKERS, value: {{ include "financehub.maxWorkers" .root | quote }}}
{{- end }}
{{- if eq .component "web" }}
{{ include "financehub.web.environment" .root }}
{{- end }}
{{- if include "financehub.callsProviders" . }}
{{- include "financehub.egress.environment" .root }}
{{- end }}
{{- end -}}

{{/* Whether a process calls providers: empty if it does not. All tiers may; the scheduler and the console never do. */}}
{{- define "financehub.callsProviders" -}}
{{- if not (has .component (list "scheduler" "web" "test")) }}yes{{ end -}}
{{- end -}}

{{/* Whether a process reads the providers' keys: empty if it does not. The console never calls a provider. */}}
{{- define "financehub.mountsProviderKeys" -}}
{{- if and .root.Values.providerKeys.existingSecret (ne .component "web") }}yes{{ end -}}
{{- end -}}

{{- define "financehub.processMounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if include "financehub.mountsProviderKeys" . }}
- {name: provider-keys, mountPath: /etc/financehub/keys, readOnly: true}
{{- end }}
{{- if .root.Values.externalRedis.tls.caSecret }}
- {name: redis-ca, mountPath: /etc/financehub/redis, readOnly: true}
{{- end }}
{{- if include "financehub.callsProviders" . }}
{{- include "financehub.egress.mounts" .root }}
{{- end }}
{{- end -}}

{{- define "financehub.processVolumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
{{- if include "financehub.mountsProviderKeys" . }}
- name: provider-keys
  secret: {secretName: {{ .root.Values.providerKeys.existingSecret | quote }}}
{{- end }}
{{- with .root.Values.externalRedis.tls.caSecret }}
- name: redis-ca
  secret: {secretName: {{ . | quote }}}
{{- end }}
{{- if include "financehub.callsProviders" . }}
{{- include "financehub.egress.volumes" .root }}
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
  circuit breakers, and the breaker of a fallback provider would stay open until that provider is needed. A list of init
  containers.
*/}}
{{- define "financehub.awaitSimulator" -}}
{{- if .root.Values.simulator.enabled }}
- name: await-simulator
  command:
    {{- include "financehub.holdSigterm" . | nindent 4 }}
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
  {{- $pod := pick .pod "image" "resources" "containerSecurityContext" }}
  {{- $mounts := list (dict "name" "tmp" "mountPath" "/tmp") }}
  {{- include "financehub.container" (dict "root" .root "component" .component "pod" $pod "mounts" $mounts) | nindent 2 }}
{{- end }}
{{- end -}}
