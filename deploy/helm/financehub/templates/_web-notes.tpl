{{/* The first entry of the notes: how to open the console, and what users can do there. */}}
{{- define "financehub.web.notes" -}}
{{- if include "financehub.hasWeb" . }}
{{- $web := .Values.web }}
{{- $auth := $web.auth }}
{{- $service := printf "%s-web" (include "financehub.fullname" .) }}
{{- $namespace := ternary "" (printf " -n %s" .Release.Namespace) (eq .Release.Namespace "default") }}

To open the console, {{ ternary "which is read-only" "in which operators can also make changes" (eq $web.mode "read-only") }}:
{{- range include "financehub.web.addresses" . | fromYamlArray }}
  {{ . }}
{{- else }}
{{- if $web.ingress.enabled }}
  kubectl get ingress{{ $namespace }} {{ $service }}
{{- else if $web.httpRoute.enabled }}
  kubectl get httproute{{ $namespace }} {{ $service }}
{{- else if ne $web.service.type "ClusterIP" }}
  kubectl get service{{ $namespace }} {{ $service }}
{{- else if and $auth.userHeader (not $auth.existingSecret) }}
  the address of your proxy, whose target is http://{{ $service }}.{{ .Release.Namespace }}.svc:{{ $web.service.port }}{{ $web.prefix }}/
{{- else }}
  kubectl port-forward{{ $namespace }} svc/{{ $service }} 8000:{{ $web.service.port }}
  and then http://localhost:8000{{ $web.prefix }}/ in a browser
{{- end }}
{{- end }}
{{- if $auth.existingSecret }}
A browser asks for a name and a password: any name, and a token whose hash is in the Secret {{ $auth.existingSecret }}.
{{- else if not $auth.userHeader }}
Everybody who reaches it can read it. web.auth in the chart's values limits it to users.
{{- end }}
{{- include "financehub.web.warnings" . }}
{{- end }}
{{- end -}}

{{/* What others than the users could do with the user header or with wrong tokens, unless the values prevent it. */}}
{{- define "financehub.web.warnings" -}}
{{- $auth := .Values.web.auth }}
{{- $policy := .Values.networkPolicy }}
{{- $service := .Values.web.service }}
{{- /* An address is that of a proxy, and a network usually that of all pods or nodes. */}}
{{- if and $auth.userHeader (join "," $auth.trustedProxies | contains "/") }}
{{- if not (and $policy.enabled $policy.ingressFrom) }}

*** WARNING: every pod in the networks of web.auth.trustedProxies can send the header {{ $auth.userHeader }}, and so be any user.
Let only the proxy connect: set {{ if not $policy.enabled }}networkPolicy.enabled=true and {{ end }}networkPolicy.ingressFrom.
{{- end }}
{{- if and (ne $service.type "ClusterIP") (ne $service.externalTrafficPolicy "Local") }}

*** WARNING: with a Service of the type {{ $service.type }}, connections from outside the cluster come from the addresses of nodes.
If web.auth.trustedProxies contains these, anybody can send the header {{ $auth.userHeader }}, and so be any user.
Set web.service.externalTrafficPolicy=Local, or web.service.type=ClusterIP.
{{- end }}
{{- end }}
{{- if and $auth.existingSecret (not $auth.trustedProxies) (or .Values.web.ingress.enabled .Values.web.httpRoute.enabled) }}

*** WARNING: web.auth.trustedProxies is empty, so all clients behind the proxy count as one, and 60 wrong tokens in a minute
lock out all users. Set it to the addresses of the proxy.
{{- end }}
{{- end -}}

{{/* The addresses under which an Ingress or an HTTPRoute publishes the console, as a list. Hosts with a wildcard have none. */}}
{{- define "financehub.web.addresses" -}}
{{- $web := .Values.web -}}
{{- $certified := list -}}
{{- range $web.ingress.tls -}}
{{- /* A certificate without hosts is for every host. */}}
{{- $certified = concat $certified (.hosts | default (list "")) -}}
{{- end -}}
{{- if $web.ingress.enabled -}}
{{- range $web.ingress.hosts -}}
{{- $host := .host | default "*" -}}
{{- $isSecure := false -}}
{{- range $certified -}}
{{- if include "financehub.web.isNamed" (dict "host" . "names" (list $host)) }}{{ $isSecure = true }}{{ end -}}
{{- end -}}
{{- $paths := list -}}
{{- range .paths -}}
{{- $paths = append $paths .path -}}
{{- end -}}
{{- if not (hasPrefix "*" $host) }}
- {{ ternary "https" "http" $isSecure }}://{{ $host }}{{ include "financehub.web.opened" (dict "prefix" $web.prefix "paths" $paths) }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $web.httpRoute.enabled -}}
{{- /* The listener of the Gateway decides. Its name usually says which one it is. */}}
{{- $isPlain := eq (dig "sectionName" "https" (first $web.httpRoute.parentRefs)) "http" -}}
{{- $paths := list -}}
{{- range $web.httpRoute.matches -}}
{{- $paths = append $paths (dig "path" "value" "/" .) -}}
{{- end -}}
{{- range $web.httpRoute.hostnames -}}
{{- if not (hasPrefix "*" .) }}
- {{ ternary "http" "https" $isPlain }}://{{ . }}{{ include "financehub.web.opened" (dict "prefix" $web.prefix "paths" $paths) }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}


{{/* The path to open if these paths are published: the first page, or that of the API if only the API is published. */}}
{{- define "financehub.web.opened" -}}
{{- $prefix := .prefix -}}
{{- $isWhole := empty .paths -}}
{{- range .paths -}}
{{- if not (hasPrefix (printf "%s/api" $prefix) .) }}{{ $isWhole = true }}{{ end -}}
{{- end -}}
{{ $prefix }}/{{ if not $isWhole }}api/v1 (API only){{ end }}
{{- end -}}
