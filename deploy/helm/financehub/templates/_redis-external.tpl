{{/* Refuses values of externalRedis that contradict each other, have no effect or expose a password. */}}

{{- define "financehub.redis.refuseExternal" -}}
{{- $external := include "financehub.redis.external" . | fromYaml -}}
{{- $sentinel := $external.sentinel -}}
{{- $tls := $external.tls -}}
{{- $ways := list -}}
{{- range $name, $value := dict "url" $external.url "urlKey" $external.urlKey "host" $external.host "sentinel.nodes" $sentinel.nodes -}}
{{- if $value }}{{ $ways = append $ways $name }}{{ end -}}
{{- end -}}
{{- if not $ways }}
{{- fail "externalRedis.url: missing, although redis.enabled is false; set url (redis://host:6379/0), host, sentinel.nodes, or the name of a Secret that contains the URL (existingSecret, urlKey)" }}
{{- end }}
{{- if gt (len $ways) 1 }}
{{- fail (printf "externalRedis: %s are all set; set only one of them" (join ", " (sortAlpha $ways))) }}
{{- end }}
{{- $way := first $ways }}
{{- if and $external.urlKey (not $external.existingSecret) }}
{{- fail "externalRedis.existingSecret: missing; set it to the name of the Secret that contains urlKey" }}
{{- end }}
{{- if and $external.urlKey (include "financehub.usesKeda" .) }}
{{- fail "externalRedis.urlKey: KEDA cannot read a URL from a Secret, so no tier would be scaled; use url, host or sentinel.nodes with existingSecret and passwordKey, or set autoscaling.mode=hpa" }}
{{- end }}
{{- if .Values.redis.existingSecret }}
{{- fail "redis.existingSecret: redis.enabled is false, so the value has no effect; name the Secret in externalRedis.existingSecret" }}
{{- end }}

{{- /* Values that have an effect only together with others. */}}
{{- $partOfUrl := dict "username" $external.username "database" (ne (int $external.database) 0) "port" (ne (int $external.port) 6379) "sentinel.master" $sentinel.master "sentinel.username" $sentinel.username "tls.enabled" $tls.enabled "tls.checkHostname" (not $tls.checkHostname) }}
{{- if has $way (list "url" "urlKey") }}
{{- range $name, $value := $partOfUrl }}
{{- if and $value (not (and (eq $name "tls.enabled") (hasPrefix "rediss" $external.url))) }}
{{- fail (printf "externalRedis.%s: %s is set, so this value has no effect; remove it and write it into the URL (docs/redis.md describes its parts), or set host or sentinel.nodes instead of %s" $name $way $way) }}
{{- end }}
{{- end }}
{{- end }}
{{- if eq $way "sentinel.nodes" }}
{{- if not $sentinel.master }}
{{- fail "externalRedis.sentinel.master: missing; set it to the name of the master that the Sentinels monitor, such as mymaster" }}
{{- end }}
{{- if ne (int $external.port) 6379 }}
{{- fail "externalRedis.port: sentinel.nodes is set, so this value has no effect; write the port of each Sentinel behind its host (host:26379)" }}
{{- end }}
{{- $nodes := list }}
{{- range $sentinel.nodes }}
{{- $node := include "financehub.redis.bracketed" . | lower }}
{{- $nodes = append $nodes (printf "%s:%s" (regexReplaceAll "[.]?(:[0-9]+)?$" $node "") (regexFind ":[0-9]+$" $node | trimPrefix ":" | default "26379" | int | toString)) }}
{{- end }}
{{- if lt (len (uniq $nodes)) (len $nodes) }}
{{- fail "externalRedis.sentinel.nodes: names the same Sentinel twice; remove one of them" }}
{{- end }}
{{- end }}
{{- if and (ne $way "urlKey") (not (include "financehub.redis.usesSentinel" .)) }}
{{- range $name := list "master" "username" "existingSecret" }}
{{- if get $sentinel $name }}
{{- fail (printf "externalRedis.sentinel.%s: no Sentinels are named, so this value has no effect; set sentinel.nodes, or leave it empty" $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- if has $way (list "host" "sentinel.nodes") }}
{{- range $name, $value := dict "caSecret" $tls.caSecret "checkHostname" (not $tls.checkHostname) }}
{{- if and $value (not $tls.enabled) }}
{{- fail (printf "externalRedis.tls.%s: externalRedis.tls.enabled is false, so no client uses TLS; set externalRedis.tls.enabled=true, or remove this value" $name) }}
{{- end }}
{{- end }}
{{- range $host := ternary (list $external.host) $sentinel.nodes (eq $way "host") }}
{{- $port := ternary "" "(:[0-9]{1,5})?" (eq $way "host") }}
{{- if not (regexMatch (printf "^([A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?[.]?%s|\\[[0-9A-Fa-f:.]+\\]%s|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$" $port $port) $host) }}
{{- $example := ternary "redis.example.com; the port is the value port" "redis-0.example.com:26379" (eq $way "host") }}
{{- fail (printf "externalRedis.%s: %s is not an address; write a host name or an IP address, such as %s" $way $host $example) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The URL. */}}
{{- if and $tls.caSecret (regexMatch "^redis([+]sentinel)?://" $external.url) }}
{{- fail "externalRedis.tls.caSecret: externalRedis.url does not use TLS, so no client could connect; begin the URL with rediss:// (rediss+sentinel:// for Sentinels), or leave caSecret empty" }}
{{- end }}
{{- if regexMatch "[?&]db=" $external.url }}
{{- fail "externalRedis.url: KEDA ignores db= and would read database 0; write the database as the path (redis://host:6379/2)" }}
{{- end }}
{{- if and (include "financehub.redis.usesSentinel" .) (not (include "financehub.redis.service" .)) }}
{{- fail "externalRedis.url: the name of the service that the Sentinels monitor is missing; add it as the path (redis+sentinel://host:26379/mymaster/0)" }}
{{- end }}
{{- if regexMatch "//[^@]*:[^@]*@|[?&](username|(sentinel_)?password)=" $external.url }}
{{- $key := ternary "sentinel.existingSecret, sentinel.passwordKey" "existingSecret, passwordKey" (contains "sentinel_password=" $external.url) }}
{{- fail (printf "externalRedis.url: the URL contains a password, which anyone who can read ConfigMaps could see; put it in a Secret (%s)" $key) }}
{{- end }}
{{- range $address := splitList "," (include "financehub.redis.address" .) }}
{{- $host := regexReplaceAll ":[0-9]+$" $address "" }}
{{- if regexMatch "^clustercfg[.]|[.](memorydb|serverless)[.].*[.]amazonaws[.]com" (lower $host) }}
{{- fail (printf "externalRedis.%s: %s is always a Redis Cluster, whose servers each have a part of the keys, and no process could start; use a service with a single master (docs/redis.md lists some)" $way $host) }}
{{- end }}
{{- if regexMatch "^(replica[.]|[^.]*-ro[.]).*[.]cache[.]amazonaws[.]com" (lower $host) }}
{{- fail (printf "externalRedis.%s: %s only leads to replicas, which refuse writes; write the primary endpoint of the service" $way $host) }}
{{- end }}
{{- if and (include "financehub.usesKeda" $) (ne $way "urlKey") (not (regexMatch "[.:]" $host)) }}
{{- fail (printf "externalRedis.%s: KEDA connects from its own namespace, where %s does not resolve or is another server; write %s.NAMESPACE.svc" $way $host $host) }}
{{- end }}
{{- end }}
{{- end -}}
