"""Generates two ValidatingAdmissionPolicies.

One refuses specs that the CRD cannot refuse. The other makes `kubectl apply` warn of legal but suspicious specs.
"""

from typing import Any

from pydantic import BaseModel

from financehub_scheduler.api.manifests import admission_warnings
from financehub_shared.core.catalog import CATALOG
from financehub_shared.spec.scheduled_task import BACKFILL, GROUP, MAX_TRIGGER, PLURAL, RANGE, TRIGGER, VERSION

_NAME = "financehub-scheduledtasks"
_CHANGED = (
    "oldObject == null || object.spec != oldObject.spec || "
    "object.metadata.?annotations.orValue({}) != oldObject.metadata.?annotations.orValue({})"
)
_NEW_SPEC = "oldObject == null || object.spec != oldObject.spec"
#: A timestamp without seconds, which CEL's `timestamp` cannot parse.
_MINUTES = "'T[0-9]{2}:[0-9]{2}[Z+-]'"


def manifests() -> list[dict[str, Any]]:
    """Return both policies with their bindings."""
    return [
        *_policy("deny", "Deny", _CHANGED, _deny_variables(), _deny()),
        *_policy("warn", "Warn", _NEW_SPEC, admission_warnings.variables(), admission_warnings.validations()),
    ]


def _policy(
    kind: str, action: str, condition: str, variables: dict[str, str], validations: list[dict[str, str]]
) -> list[dict[str, Any]]:
    name = f"{_NAME}-{kind}"
    rule = {
        "apiGroups": [GROUP],
        "apiVersions": [VERSION],
        "operations": ["CREATE", "UPDATE"],
        "resources": [PLURAL],
    }
    head = {"apiVersion": "admissionregistration.k8s.io/v1"}
    policy = {
        # The scheduler still checks specs that cannot be evaluated here, and an evaluation error must not block a
        # correction.
        "failurePolicy": "Ignore",
        "matchConstraints": {"resourceRules": [rule]},
        "matchConditions": [{"name": "changed", "expression": condition}],
        "variables": [{"name": name, "expression": expression} for name, expression in variables.items()],
        "validations": validations,
    }
    return [
        {**head, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": policy},
        {
            **head,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {"policyName": name, "validationActions": [action]},
        },
    ]


def _list(values: Any) -> str:
    return "[" + ", ".join(f"'{value}'" if isinstance(value, str) else str(value) for value in values) + "]"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\") + "'"


def _deny_variables() -> dict[str, str]:
    known = " : ".join(
        f"object.spec.task == '{name}' ? {_list(task.arguments.model_fields)}" for name, task in CATALOG.items()
    )
    return {
        "trigger": f"object.metadata.?annotations[?'{TRIGGER}'].orValue('')",
        "backfill": f"object.metadata.?annotations[?'{BACKFILL}'].orValue('')",
        "inCatalog": f"object.spec.task in {_list(CATALOG)}",
        "arguments": f"{known} : []",
        "kwargs": "object.spec.?kwargs.orValue({})",
    }


def _deny() -> list[dict[str, str]]:
    hint = "write it like 2026-11-01T00:00:00Z/2026-11-02T00:00:00Z"
    field = f"metadata.annotations[{BACKFILL}]"
    whole = f"t.matches({_MINUTES}) ? t.substring(0, 16) + ':00' + t.substring(16) : t"
    times = f"variables.backfill.split('/').map(t, timestamp({whole}))"
    in_order = f"[{times}].all(t, t[0] <= t[1])"
    return [
        {
            "expression": f"size(variables.trigger) <= {MAX_TRIGGER}",
            "message": f"metadata.annotations[{TRIGGER}]: the value is longer than {MAX_TRIGGER} characters; "
            "write a shorter one",
        },
        {
            "expression": f"variables.backfill == '' || variables.backfill.matches({_quoted(RANGE)})",
            "messageExpression": f"'{field}: \\'' + variables.backfill + '\\' is not a range; {hint}'",
        },
        {
            "expression": f"!variables.backfill.matches({_quoted(RANGE)}) || {in_order}",
            "messageExpression": f"'{field}: \\'' + variables.backfill + '\\' ends before it begins; swap the two "
            "times'",
        },
        {
            "expression": "!variables.inCatalog || size(object.spec.?args.orValue([])) == 0",
            "message": "spec.args: tasks of the catalog accept keyword arguments only; move them to spec.kwargs",
        },
        {
            "expression": "!variables.inCatalog || variables.kwargs.all(k, k in variables.arguments)",
            "messageExpression": "'spec.kwargs: unknown argument; ' + object.spec.task + ' takes: ' + "
            "(size(variables.arguments) == 0 ? 'none' : variables.arguments.join(', '))",
        },
        *_typed_arguments(),
    ]


def _typed_arguments() -> list[dict[str, str]]:
    """Return one rule per argument of the catalog tasks, generated from the arguments' models."""
    models: dict[type[BaseModel], list[str]] = {}
    for name, task in CATALOG.items():
        models.setdefault(task.arguments, []).append(name)
    found = []
    for model, tasks in models.items():
        for name, schema in model.model_json_schema().get("properties", {}).items():
            given = f"variables.kwargs['{name}']"
            nullable = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
            rule, words = _typed(given, nullable[0])
            missing = f"!('{name}' in variables.kwargs)"
            may_be_null = f" || {given} == null" if "anyOf" in schema else ""
            found.append(
                {
                    "expression": f"!(object.spec.task in {_list(tasks)}) || {missing}{may_be_null} || ({rule})",
                    "message": f"spec.kwargs.{name}: write {words}",
                }
            )
    return found


def _typed(value: str, schema: dict[str, Any]) -> tuple[str, str]:
    """Return a CEL rule for the values that a JSON schema allows, and a description of them."""
    match schema:
        case {"type": "boolean"}:
            return f"type({value}) == bool", "true or false"
        case {"type": "array", "items": items}:
            text = (
                f"type(each) == string && each.matches({_quoted(items['pattern'])})"
                if "pattern" in items
                else ("type(each) == string")
            )
            low, high = schema["minItems"], schema["maxItems"]
            size = f"size({value}) >= {low} && size({value}) <= {high}"
            rule = f"type({value}) == list && {size} && {value}.all(each, {text})"
            kind = "symbols such as BTC-USD" if "pattern" in items else "names"
            return rule, f"a list of {low} to {high} {kind}"
    raise NotImplementedError(f"there is no CEL rule for {schema}; add one here")
