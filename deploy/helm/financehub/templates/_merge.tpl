{{/* Merging of values: maps by their keys, and lists by the identity of their entries. */}}

{{/*
  Merges values into a map, which it changes. Takes (dict "into" <map> "from" <map>). Later values replace earlier ones,
  and null removes a key. The lists of pods are joined; other lists are replaced, and so are the handlers of a lifecycle,
  of which each has exactly one kind.
*/}}
{{- define "financehub.merge" -}}
{{- range $key, $value := .from -}}
{{- $old := get $.into $key -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $.into $key -}}
{{- else if kindIs "map" $value -}}
{{- if or (not (kindIs "map" $old)) (has $key (list "preStop" "postStart")) -}}
{{- $old = dict -}}
{{- $_ := set $.into $key $old -}}
{{- end -}}
{{- include "financehub.merge" (dict "into" $old "from" $value) -}}
{{- else if and (kindIs "slice" $value) (has $key (include "financehub.joinedLists" $ | splitList " ")) -}}
{{- $items := concat (ternary $old list (kindIs "slice" $old)) $value -}}
{{- $_ := set $.into $key (include "financehub.join" (dict "list" $key "items" $items) | fromJsonArray) -}}
{{- else if not (and (eq (toString $value) "") (has $key (list "priorityClassName" "runtimeClassName" "dnsPolicy"))) -}}
{{- /* "" is the default of these values and does not remove a name; null does. */}}
{{- $_ := set $.into $key (deepCopy $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "financehub.joinedLists" -}}
extraEnv extraEnvFrom extraVolumes extraVolumeMounts hostAliases initContainers sidecars tolerations topologySpreadConstraints
{{- end -}}

{{/*
  A list without duplicates, as JSON. Of two entries with the same identity, the later one takes the place of the earlier
  one. Takes (dict "list" <name of the list> "items" <list>).
*/}}
{{- define "financehub.join" -}}
{{- $order := list -}}
{{- $found := dict -}}
{{- range $item := .items -}}
{{- $identity := include "financehub.identity" (dict "list" $.list "item" $item) -}}
{{- if not (hasKey $found $identity) }}{{ $order = append $order $identity }}{{ end -}}
{{- $_ := set $found $identity $item -}}
{{- end -}}
{{- $joined := list -}}
{{- range $order }}{{ $joined = append $joined (get $found .) }}{{ end -}}
{{- toJson $joined -}}
{{- end -}}

{{/* What no two entries of a list may have in common: the keys by which Kubernetes merges the list. */}}
{{- define "financehub.identity" -}}
{{- if has .list (list "extraEnv" "extraVolumes" "initContainers" "sidecars" "imagePullSecrets") -}}
{{- toString .item.name -}}
{{- else if eq .list "extraVolumeMounts" -}}
{{- trimSuffix "/" (toString .item.mountPath) -}}
{{- else if eq .list "hostAliases" -}}
{{- toString .item.ip -}}
{{- else if eq .list "topologySpreadConstraints" -}}
{{- printf "%v %v" .item.topologyKey .item.whenUnsatisfiable -}}
{{- else -}}
{{- toJson .item -}}
{{- end -}}
{{- end -}}

{{/*
  Environment variables in an order in which each one comes after those that its value refers to with $(NAME), because
  Kubernetes only replaces references to earlier variables. Takes a list, and returns JSON.
*/}}
{{- define "financehub.ordered" -}}
{{- $waiting := dict -}}
{{- range . }}{{ $_ := set $waiting .name true }}{{ end -}}
{{- $ordered := list -}}
{{- $all := . -}}
{{- range $all -}}
{{- range $variable := $all -}}
{{- if hasKey $waiting $variable.name -}}
{{- $isReady := true -}}
{{- range regexFindAll "[$][(][^)]+[)]" (toString ($variable.value | default "")) -1 -}}
{{- $name := trimPrefix "$(" . | trimSuffix ")" -}}
{{- if and (ne $name $variable.name) (hasKey $waiting $name) }}{{ $isReady = false }}{{ end -}}
{{- end -}}
{{- if $isReady -}}
{{- $ordered = append $ordered $variable -}}
{{- $_ := unset $waiting $variable.name -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- /* Variables that refer to each other in a circle. */}}
{{- range $all }}{{ if hasKey $waiting .name }}{{ $ordered = append $ordered . }}{{ end }}{{ end -}}
{{- toJson $ordered -}}
{{- end -}}
