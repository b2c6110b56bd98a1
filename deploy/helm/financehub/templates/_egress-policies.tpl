{{/* The outgoing connections that network policies allow, if networkPolicy.egress.enabled is true. */}}

{{/* The values as YAML, with their defaults. An older chart's values have no networkPolicy.egress (--reuse-values). */}}
{{- define "financehub.egressPolicy" -}}
{{- $defaults := dict "enabled" false "providerPorts" (list 443) "to" list "proxyPorts" list "apiServerPorts" (list 443 6443) "apiServerTo" list "dnsPorts" (list 53 5353) "dnsTo" list "redisPorts" list "redisTo" list -}}
{{- include "financehub.withDefaults" (dict "values" .Values.networkPolicy.egress "defaults" $defaults) -}}
{{- end -}}

{{/* A rule as an item of a list. Takes (dict "ports" <numbers> "to" <destinations> "protocols" <names>). */}}
{{- define "financehub.egressRule" -}}
{{- $ports := list -}}
{{- range $port := .ports -}}
{{- range $protocol := $.protocols | default (list "TCP") -}}
{{- $ports = append $ports (dict "port" (int $port) "protocol" $protocol) -}}
{{- end -}}
{{- end -}}
{{- $rule := dict "ports" $ports -}}
{{- if .to -}}{{- $_ := set $rule "to" .to -}}{{- end -}}
{{- if $ports }}
- {{ toJson $rule }}
{{- end }}
{{- end -}}

{{/* Pods of the release as a destination. Takes (dict "root" $ "component" "redis"). */}}
{{- define "financehub.egressPods" -}}
{{- list (dict "podSelector" (dict "matchLabels" (include "financehub.selector" . | fromYaml))) | toJson -}}
{{- end -}}

{{- define "financehub.egress.toDns" -}}
{{- $policy := include "financehub.egressPolicy" . | fromYaml -}}
{{- include "financehub.egressRule" (dict "ports" $policy.dnsPorts "to" $policy.dnsTo "protocols" (list "UDP" "TCP")) -}}
{{- end -}}

{{- define "financehub.egress.toRedis" -}}
{{- $policy := include "financehub.egressPolicy" . | fromYaml -}}
{{- if .Values.redis.enabled -}}
{{- $pods := include "financehub.egressPods" (dict "root" . "component" "redis") | fromJsonArray -}}
{{- include "financehub.egressRule" (dict "ports" (list 6379) "to" $pods) -}}
{{- else -}}
{{- include "financehub.egressRule" (dict "ports" (include "financehub.egress.redisPorts" . | fromJsonArray) "to" $policy.redisTo) -}}
{{- end -}}
{{- end -}}

{{/* The ports of an external Redis as JSON. They are empty if only the values can name them. */}}
{{- define "financehub.egress.redisPorts" -}}
{{- $policy := include "financehub.egressPolicy" . | fromYaml -}}
{{- $ports := $policy.redisPorts -}}
{{- if not (or $ports (include "financehub.redis.usesSentinel" .) (not (include "financehub.redis.url" .))) -}}
{{- $ports = list (regexFind "[0-9]+$" (include "financehub.redis.address" .) | int) -}}
{{- end -}}
{{- toJson $ports -}}
{{- end -}}

{{- define "financehub.egress.toApiServer" -}}
{{- $policy := include "financehub.egressPolicy" . | fromYaml -}}
{{- include "financehub.egressRule" (dict "ports" $policy.apiServerPorts "to" $policy.apiServerTo) -}}
{{- end -}}

{{/*
  The ports of the proxy as JSON. They are empty if there is none, or if only the values can name them, because its URL is
  in a Secret or in a variable of a tier.
*/}}
{{- define "financehub.egress.proxyPorts" -}}
{{- $policy := include "financehub.egressPolicy" . | fromYaml -}}
{{- $egress := include "financehub.egress" . | fromYaml -}}
{{- $ports := $policy.proxyPorts -}}
{{- if and $egress.proxy (not $ports) -}}
{{- $default := ternary 443 80 (hasPrefix "https://" $egress.proxy) -}}
{{- $port := regexFind ":[0-9]+$" (trimSuffix "/" $egress.proxy) | trimPrefix ":" -}}
{{- $ports = list (ternary (int $port) $default (ne $port "")) -}}
{{- end -}}
{{- toJson $ports -}}
{{- end -}}

{{/* Tiers need the ports of providers only without a proxy, or for the hosts that they call without it. */}}
{{- define "financehub.egress.toProviders" -}}
{{- $policy := include "financehub.egressPolicy" . | fromYaml -}}
{{- $egress := include "financehub.egress" . | fromYaml -}}
{{- if .Values.simulator.enabled -}}
{{- $pods := include "financehub.egressPods" (dict "root" . "component" "simulator") | fromJsonArray -}}
{{- include "financehub.egressRule" (dict "ports" (list 8099) "to" $pods) -}}
{{- else -}}
{{- $ports := include "financehub.egress.proxyPorts" . | fromJsonArray -}}
{{- if or (not (include "financehub.egress.usesProxy" .)) $egress.noProxy -}}
{{- $ports = concat $ports $policy.providerPorts | uniq -}}
{{- end -}}
{{- include "financehub.egressRule" (dict "ports" $ports "to" $policy.to) -}}
{{- end -}}
{{- end -}}
