{{/* How tiers, the only processes that call providers, reach them: the proxy and further certificate authorities. */}}

{{/* The values of egress as YAML, with their defaults. An older chart's values have no egress (--reuse-values). */}}
{{- define "financehub.egress" -}}
{{- $defaults := dict "proxy" "" "noProxy" list "existingSecret" "" "proxyKey" "proxy" "caSecret" "" "caKey" "ca.crt" -}}
{{- include "financehub.withDefaults" (dict "values" .Values.egress "defaults" $defaults) -}}
{{- end -}}

{{/* Values as JSON, with a default for each key that they lack. Takes (dict "values" <map or null> "defaults" <map>). */}}
{{- define "financehub.withDefaults" -}}
{{- $values := .values | default dict -}}
{{- $found := dict -}}
{{- range $name, $default := .defaults -}}
{{- $_ := set $found $name (hasKey $values $name | ternary (get $values $name) $default) -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* Whether tiers use a proxy: empty if they do not. */}}
{{- define "financehub.egress.usesProxy" -}}
{{- $egress := include "financehub.egress" . | fromYaml -}}
{{- if or $egress.proxy $egress.existingSecret }}yes{{ end -}}
{{- end -}}

{{/*
  The hosts that are called without the proxy. The processes themselves send only the calls of providers through it, so
  the names of the cluster are for programs that a user adds.
*/}}
{{- define "financehub.egress.noProxy" -}}
{{- $egress := include "financehub.egress" . | fromYaml -}}
{{- $own := list "localhost" "127.0.0.1" "::1" ".svc" ".cluster.local" -}}
{{- range $service := list "redis" "scheduler" "simulator" "web" -}}
{{- $own = append $own (printf "%s-%s" (include "financehub.fullname" $) $service) -}}
{{- end -}}
{{- join "," (concat $own $egress.noProxy | uniq) -}}
{{- end -}}

{{- define "financehub.egress.environment" -}}
{{- $egress := include "financehub.egress" . | fromYaml -}}
{{- if include "financehub.egress.usesProxy" . }}
{{- range $variable := list "HTTPS_PROXY" "HTTP_PROXY" }}
{{- if $egress.existingSecret }}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef: {name: {{ $egress.existingSecret | quote }}, key: {{ $egress.proxyKey | quote }}}
{{- else }}
- {name: {{ $variable }}, value: {{ $egress.proxy | quote }}}
{{- end }}
{{- end }}
- {name: NO_PROXY, value: {{ include "financehub.egress.noProxy" . | quote }}}
{{- end }}
{{- if $egress.caSecret }}
- {name: FINANCEHUB_CA_FILE, value: {{ printf "/etc/financehub/egress/%s" $egress.caKey | quote }}}
{{- end }}
{{- end -}}

{{- define "financehub.egress.mounts" -}}
{{- $egress := include "financehub.egress" . | fromYaml -}}
{{- if $egress.caSecret }}
- {name: egress-ca, mountPath: /etc/financehub/egress, readOnly: true}
{{- end }}
{{- end -}}

{{- define "financehub.egress.volumes" -}}
{{- $egress := include "financehub.egress" . | fromYaml -}}
{{- with $egress.caSecret }}
- name: egress-ca
  secret: {secretName: {{ . | quote }}}
{{- end }}
{{- end -}}
