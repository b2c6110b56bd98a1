{{/* The embedded server: its image, its memory, its start and its probes. */}}

{{/* The product: redis or valkey. Values that an older chart wrote do not have it. */}}
{{- define "financehub.redis.server" -}}
{{- .Values.redis.server | default "redis" -}}
{{- end -}}

{{/* The values of the image as JSON. What is empty is taken from files/redis-images.yaml. */}}
{{- define "financehub.redis.image" -}}
{{- $known := get (.Files.Get "files/redis-images.yaml" | fromYaml) (include "financehub.redis.server" .) -}}
{{- $image := .Values.redis.image -}}
{{- $host := (.Values.global | default dict).imageRegistry | default $known.registry -}}
{{- $own := dict "registry" (printf "%s/%s" $host $known.namespace) "repository" $known.repository "tag" $known.tag -}}
{{- $effective := deepCopy $image -}}
{{- range $name, $value := $own }}{{ $_ := set $effective $name (get $image $name | default $value) }}{{ end -}}
{{- toJson $effective -}}
{{- end -}}

{{/* The values of the pod. `memory` and `cpu` are short forms of `resources`. */}}
{{- define "financehub.redis.pod" -}}
{{- $redis := .Values.redis -}}
{{- /* A request above the limit would be refused, so the request follows a limit that is stated in `resources`. */}}
{{- $memory := dig "resources" "limits" "memory" nil $redis | default $redis.memory -}}
{{- $resources := dict "requests" (dict "cpu" $redis.cpu "memory" $memory) "limits" (dict "memory" $redis.memory) -}}
{{- $pod := include "financehub.component" (dict "root" . "component" "redis" "own" (dict "resources" $resources) "pod" $redis) | fromJson -}}
{{- $_ := set $pod "image" (include "financehub.redis.image" . | fromJson) -}}
{{- toJson $pod -}}
{{- end -}}

{{/* The chart's own parts of this pod, for its scope. */}}
{{- define "financehub.redis.parts" -}}
{{- $redis := .Values.redis -}}
env:
  - name: REDISCLI_AUTH
    valueFrom:
      secretKeyRef:
        name: {{ include "financehub.redis.secretName" . | quote }}
        key: {{ $redis.passwordKey | quote }}
mounts:
  - {name: data, mountPath: /data}
  - {name: configuration, mountPath: /etc/redis, readOnly: true}
  - {name: run, mountPath: /run/redis}
volumes:
  - name: configuration
    configMap: {name: {{ include "financehub.fullname" . }}-redis}
  - name: run
    emptyDir: {medium: Memory, sizeLimit: 1Mi}
  {{- if not $redis.persistence.enabled }}
  - name: data
    emptyDir: {}
  {{- end }}
{{- end -}}

{{/*
  The script that starts the server. The password is passed in a file in memory, because every process on the node can
  read command-line arguments.
*/}}
{{- define "financehub.redis.start" -}}
{{- $server := include "financehub.redis.server" . -}}
umask 077
if [ "$(printf %s "$REDISCLI_AUTH" | wc -l)" -gt 0 ]; then
  echo 'the password in Secret {{ include "financehub.redis.secretName" . }} contains a line break; store it without one (use printf, not echo)' >&2
  exit 1
fi
if ! command -v {{ $server }}-server >/dev/null; then
  echo 'the image contains no {{ $server }}-server; set redis.server to the product in the image of redis.image' >&2
  exit 1
fi
# Redis 7.4 and newer, and Valkey 9 and newer, write files that the other product cannot read.
for file in /data/appendonlydir/*.base.rdb; do
  [ -f "$file" ] || continue
  format=$(head -c 9 "$file")
  case "{{ $server }} $format" in
    'valkey REDIS001'[2-9] | 'valkey REDIS00'[2-9]? | 'redis VALKEY'*)
      echo "{{ $server }} cannot read the data on the volume, whose format is $format; set redis.server to the product that wrote it (docs/redis.md says how to change the product)" >&2
      exit 1
      ;;
  esac
done
printf 'requirepass "%s"\n' "$(printf %s "$REDISCLI_AUTH" | sed 's/[\"]/\\&/g')" >/run/redis/password.conf
exec {{ $server }}-server /etc/redis/redis.conf --include /run/redis/password.conf
{{- end -}}

{{/*
  The probes. The server is alive if it answers at all: a restart helps only one that hangs. PING is refused with MISCONF
  if the disk is full, with LOADING until the data is read, with BUSY during a long script, and a server that is restarted
  for one of these reasons is never back. It is ready if it answers PONG. `timeout` ends the client, which the kubelet
  would leave behind.
*/}}
{{- define "financehub.redis.probes" -}}
{{- $answered := include "financehub.redis.probe" "^([A-Z]+ |PONG$)" -}}
startupProbe:
  exec: {{ $answered }}
  periodSeconds: 1
  timeoutSeconds: 5
  # A server that hangs at its start is restarted after 10 minutes.
  failureThreshold: 600
livenessProbe:
  exec: {{ $answered }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  exec: {{ include "financehub.redis.probe" "^PONG$" }}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}

{{/* A command that succeeds if a line of the answer to PING matches the pattern. */}}
{{- define "financehub.redis.probe" -}}
{{- $script := printf `timeout 4 "$(command -v valkey-cli || command -v redis-cli)" ping 2>&1 | grep -Eq '%s'` . -}}
{{- dict "command" (list "sh" "-c" $script) | toJson -}}
{{- end -}}

{{/* The memory limit of the server: 60 % of the container's memory, in MB. */}}
{{- define "financehub.redis.maxmemory" -}}
{{ div (mul (include "financehub.mebibytes" (include "financehub.redis.memory" .) | int) 6) 10 }}mb
{{- end -}}

{{/* The memory of the container: its limit, otherwise its request. */}}
{{- define "financehub.redis.memory" -}}
{{- $resources := (include "financehub.redis.pod" . | fromJson).resources | default dict -}}
{{- dig "limits" "memory" "" $resources | default (dig "requests" "memory" "" $resources) | default .Values.redis.memory -}}
{{- end -}}

{{/* A quantity of Kubernetes such as 1.5Gi, 2G or 1e9, in whole MiB. */}}
{{- define "financehub.mebibytes" -}}
{{- $quantity := toString . -}}
{{- $number := regexFind "^[0-9.]+([eE][+-]?[0-9]+)?" $quantity -}}
{{- $units := dict "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 -}}
{{- divf (mulf (float64 $number) (get $units (trimPrefix $number $quantity) | default 1.0)) 1048576.0 | floor | int64 -}}
{{- end -}}

{{/* A quantity of Kubernetes as a number. */}}
{{- define "financehub.quantity" -}}
{{- $quantity := toString . | trimPrefix "+" -}}
{{- $number := regexFind "^[0-9.]+([eE][+-]?[0-9]+)?" $quantity -}}
{{- $units := dict "n" 1e-9 "u" 1e-6 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 "Ei" 1152921504606846976.0 -}}
{{- mulf (float64 $number) (get $units (trimPrefix $number $quantity) | default 1.0) -}}
{{- end -}}
