{{/* Checks of the addresses in `web`. They agree with those of the web process, which tests compare. */}}

{{/*
  Whether a path leads to the console: empty if it does not. It is the prefix, a path above it, or the API below it.
  Takes (dict "path" "/" "prefix" .Values.web.prefix).
*/}}
{{- define "financehub.web.isPublished" -}}
{{- $path := trimSuffix "/" .path -}}
{{- $prefix := printf "%s/" .prefix -}}
{{- if or (hasPrefix (printf "%s/" $path) $prefix) (eq $path (printf "%sapi" $prefix)) (hasPrefix (printf "%sapi/" $prefix) $path) }}yes{{ end -}}
{{- end -}}

{{/*
  Whether one of the names in web.hosts matches a host of an Ingress or an HTTPRoute: empty if none does.
  Takes (dict "host" "*.example.com" "names" .Values.web.hosts).
*/}}
{{- define "financehub.web.isNamed" -}}
{{- $host := lower .host | trimSuffix "." -}}
{{- range .names -}}
{{- $name := lower . | trimSuffix "." -}}
{{- if or (not $host) (eq $host $name) (and (hasPrefix "*." $host) (hasSuffix (trimPrefix "*" $host) $name)) }}yes{{ end -}}
{{- end -}}
{{- end -}}

{{/* Why a text is neither an address nor a network; empty if it is one. */}}
{{- define "financehub.network.problem" -}}
{{- $parts := splitList "/" . -}}
{{- $digits := include "financehub.network.digits" (first $parts) -}}
{{- $bits := mul 4 (len $digits) | int -}}
{{- $length := last $parts -}}
{{- if eq (len $parts) 1 }}{{ $length = toString $bits }}{{ end -}}
{{- if or (not $digits) (gt (len $parts) 2) (not (regexMatch "^(0|[1-9][0-9]{0,2})$" $length)) -}}
is not an address or network such as 10.244.0.0/16
{{- else if gt (int $length) $bits -}}
has a prefix that is longer than {{ $bits }} bits
{{- else -}}
{{- $values := dict "0" 0 "1" 1 "2" 2 "3" 3 "4" 4 "5" 5 "6" 6 "7" 7 "8" 8 "9" 9 "a" 10 "b" 11 "c" 12 "d" 13 "e" 14 "f" 15 -}}
{{- $hasHostBits := false -}}
{{- range $index, $digit := splitList "" $digits -}}
{{- $free := sub (mul 4 (add $index 1)) (int $length) | max 0 | min 4 | int -}}
{{- if mod (get $values $digit) (index (list 1 2 4 8 16) $free) }}{{ $hasHostBits = true }}{{ end -}}
{{- end -}}
{{- if $hasHostBits }}is not the first address of its network; set the bits after the prefix to 0, as in 10.244.0.0/16{{ end -}}
{{- end -}}
{{- end -}}

{{/* The 8 or 32 hexadecimal digits of an address; empty if it is not an address. */}}
{{- define "financehub.network.digits" -}}
{{- $digits := "" -}}
{{- if regexMatch "^(0|[1-9][0-9]{0,2})([.](0|[1-9][0-9]{0,2})){3}$" . -}}
{{- range splitList "." . -}}
{{- $digits = printf "%s%02x" $digits (int .) -}}
{{- end -}}
{{- else if and (regexMatch "^[0-9A-Fa-f:]+$" .) (contains ":" .) -}}
{{- $halves := splitList "::" . -}}
{{- $groups := list -}}
{{- range $halves -}}
{{- if . }}{{ $groups = concat $groups (splitList ":" .) }}{{ end -}}
{{- end -}}
{{- $missing := sub 8 (len $groups) | int -}}
{{- $isWhole := ternary (eq $missing 0) (and (eq (len $halves) 2) (gt $missing 0)) (eq (len $halves) 1) -}}
{{- range $index, $half := $halves -}}
{{- if and (eq $index 1) $isWhole }}{{ $digits = print $digits (repeat $missing "0000") }}{{ end -}}
{{- if $half -}}
{{- range splitList ":" $half -}}
{{- if not (regexMatch "^[0-9A-Fa-f]{1,4}$" .) }}{{ $isWhole = false }}{{ end -}}
{{- $digits = printf "%s%s" $digits (printf "0000%s" . | lower | trunc -4) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not $isWhole }}{{ $digits = "" }}{{ end -}}
{{- end -}}
{{- if has (len $digits) (list 8 32) }}{{ $digits }}{{ end -}}
{{- end -}}
