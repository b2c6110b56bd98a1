"""The parts of the chart's schema that follow from FinanceHub's models: settings, assets and ScheduledTasks."""

from typing import Any

from financehub_scheduler.api.manifests import definition
from financehub_shared.core.kinds import AssetKind, AssetType
from financehub_shared.core.provider_specs import PROVIDERS, Dataset
from financehub_shared.core.settings import PREFIX, variables

Schema = dict[str, Any]

#: Fields of a ScheduledTask whose pattern is a format, because the message of a format explains what to write.
SPEC_FORMATS = {"task": "task-name", "queue": "schedule-queue", "after": "schedule-name"}


def definitions() -> dict[str, Schema]:
    """Return the generated types of structure.yaml by name."""
    return {
        "settings": _settings(),
        "assetType": {"enum": [str(each) for each in AssetType]},
        "assetKind": {"enum": [str(each) for each in AssetKind]},
        "providerSymbols": _provider_symbols(),
        "scheduledTaskSpec": _scheduled_task_spec(),
    }


def _settings() -> Schema:
    # The variables with Redis's address are not settings, because the chart has separate values for them.
    names = sorted(name for name in variables() if name.startswith((PREFIX, "DRAMATIQ_")))
    scalar = {"type": ["string", "number", "boolean"]}
    return {"type": "object", "additionalProperties": False, "properties": dict.fromkeys(names, scalar)}


def _provider_symbols() -> Schema:
    names = sorted(name for name, spec in PROVIDERS.items() if spec.datasets - {Dataset.NEWS})
    properties = {name: {"type": ["string", "null"]} for name in names}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _scheduled_task_spec() -> Schema:
    (version,) = definition.definition()["spec"]["versions"]
    schema = _strict(version["schema"]["openAPIV3Schema"]["properties"]["spec"])
    for name in SPEC_FORMATS:
        del schema["properties"][name]["pattern"]
    return schema


def _strict(schema: Schema) -> Schema:
    """Convert a structural schema to a JSON schema that refuses unknown keys."""
    found = {name: value for name, value in schema.items() if not name.startswith("x-kubernetes-") and name != "format"}
    if "properties" in found:
        found["properties"] = {name: _strict(each) for name, each in found["properties"].items()}
        found["additionalProperties"] = False
    if isinstance(found.get("items"), dict):
        found["items"] = _strict(found["items"])
    if isinstance(found.get("additionalProperties"), dict):
        found["additionalProperties"] = _strict(found["additionalProperties"])
    return found
