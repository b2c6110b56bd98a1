"""Generates the CustomResourceDefinition of ScheduledTask from the models that validate it."""

from typing import Any

from pydantic import BaseModel

from financehub_scheduler.api.status import ScheduledTaskStatus
from financehub_shared.core.release import release_version
from financehub_shared.spec.cel import spec as spec_rules
from financehub_shared.spec.scheduled_task import GROUP, PLURAL, VERSION, ScheduledTaskSpec

#: The release of FinanceHub to which a definition belongs. An older release does not replace a newer definition.
VERSION_ANNOTATION = f"{GROUP}/version"
_ANYTHING = {"x-kubernetes-preserve-unknown-fields": True}
#: JSON schema keywords that a structural schema does not allow or that do not help its readers.
_DROPPED = {"title", "additionalProperties", "$defs", "propertyNames"}
_READY = '.status.conditions[?(@.type=="Ready")].status'


def definition() -> dict[str, Any]:
    """Return the manifest."""
    schema = {
        **spec_rules.resource(),
        "type": "object",
        "description": "A task and its schedule.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": _structural(ScheduledTaskSpec),
            "status": _structural(ScheduledTaskStatus),
        },
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": _columns(),
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}", "annotations": {VERSION_ANNOTATION: release_version()}},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "plural": PLURAL,
                "singular": "scheduledtask",
                "kind": "ScheduledTask",
                "listKind": "ScheduledTaskList",
                "shortNames": ["st"],
                "categories": ["financehub"],
            },
            "versions": [version],
        },
    }


def _columns() -> list[dict[str, Any]]:
    def column(name: str, path: str, description: str, kind: str = "string", priority: int = 0) -> dict[str, Any]:
        found = {"name": name, "type": kind, "jsonPath": path, "description": description}
        return found | ({"priority": priority} if priority else {})

    return [
        column("Schedule", ".status.schedule", "When it runs, with the time zone if it is not UTC."),
        column("Queue", ".status.queue", "Queue of its runs."),
        column("Suspended", ".spec.suspend", "Whether it is suspended.", "boolean"),
        column("Last", ".status.lastScheduleTime", "Time since its newest scheduled run was due.", "date"),
        column("Outcome", ".status.lastRun.outcome", "Outcome of the run that ended last."),
        # kubectl shows a value of type date as an age, which makes no sense for a future time.
        column("Next", ".status.nextScheduleTimes[0]", "Time of the next run."),
        column("Ready", _READY, "Whether it runs as specified; `kubectl describe` shows why it does not."),
        column("Task", ".spec.task", "The task.", priority=1),
        column("Missed", ".status.missed", "Number of due times given up because they were too late.", "integer", 1),
        column("Failures", ".status.failures", "Number of runs that failed permanently or were lost.", "integer", 1),
    ]


def _structural(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True)
    found: dict[str, Any] = _plain(schema, schema.get("$defs", {}))
    return found


def _plain(schema: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without the references, alternatives and keywords that Kubernetes refuses."""
    if "$ref" in schema:
        named = known[schema["$ref"].rpartition("/")[2]]
        schema = named | {name: value for name, value in schema.items() if name != "$ref"}
    if "anyOf" in schema:
        # `X | None` means that the field may be omitted, which is true of every field that is not in `required`.
        (some,) = [each for each in schema["anyOf"] if each.get("type") != "null"]
        schema = {**{name: value for name, value in schema.items() if name != "anyOf"}, **_plain(some, known)} | {
            name: value for name, value in schema.items() if name != "anyOf"
        }
    found = {name: value for name, value in schema.items() if name not in _DROPPED}
    # The API server would write empty defaults into every object, where they would only distract.
    if found.get("default", 0) in (None, [], {}):
        del found["default"]
    if "const" in found:
        found["enum"] = [found.pop("const")]
    if "properties" in schema:
        found["properties"] = {name: _plain(each, known) for name, each in schema["properties"].items()}
    if "items" in schema:
        found["items"] = _plain(schema["items"], known) or _ANYTHING
    if isinstance(schema.get("additionalProperties"), (dict, bool)) and schema["additionalProperties"]:
        found["additionalProperties"] = _ANYTHING
    if found.get("type") == "integer":
        found["format"] = "int64"
    return found
