{{/* Whether the release contains roles and bindings: empty if it does not. A release from before the value has them. */}}
{{- define "financehub.createsRbac" -}}
{{- if ne (dig "create" true (.Values.rbac | default dict) | toString) "false" }}yes{{ end -}}
{{- end -}}

{{/* Whether users with view, edit or admin get rights to ScheduledTasks: empty if they do not. */}}
{{- define "financehub.aggregatesRoles" -}}
{{- $wanted := ne (dig "aggregateClusterRoles" true (.Values.rbac | default dict) | toString) "false" -}}
{{- if and $wanted (include "financehub.createsRbac" .) }}yes{{ end -}}
{{- end -}}
