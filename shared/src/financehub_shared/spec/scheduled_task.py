"""The model of the resource `ScheduledTask`. It validates YAML files, and `make manifests` generates the CRD from it.

The model is strict and closed: an unknown field is an error, and so is a number in quotes. `kubectl explain` shows the
field descriptions.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from financehub_shared.spec.cel.fields import DATE
from financehub_shared.spec.fields import CatchUp, Closed, ConcurrencyPolicy, DayMatch, DnsName, refusal
from financehub_shared.spec.task_spec import ScheduledTaskSpec

__all__ = [
    "BACKFILL",
    "GROUP",
    "MAX_TRIGGER",
    "PLURAL",
    "RANGE",
    "TRIGGER",
    "VERSION",
    "CatchUp",
    "ConcurrencyPolicy",
    "DayMatch",
    "Metadata",
    "ScheduledTask",
    "ScheduledTaskSpec",
    "from_resource",
]

GROUP, VERSION, PLURAL = "financehub.io", "v1alpha1", "scheduledtasks"
#: Annotation that runs the schedule once, immediately, each time its value changes.
TRIGGER = f"{GROUP}/trigger"
#: Annotation `<from>/<to>` (ISO 8601) that runs all due times in between.
BACKFILL = f"{GROUP}/backfill"
#: Maximum length of a trigger's value, in characters.
MAX_TRIGGER = 256
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]"
_TIME = rf"{DATE}T{_CLOCK}(:[0-5][0-9](\.[0-9]+)?)?(Z|[+-]{_CLOCK})"
#: Pattern of a backfill's value. It does not check that the end is after the start.
RANGE = f"^{_TIME}/{_TIME}$"


class Metadata(Closed):
    """The metadata that a file may contain. Fields that an API server adds are accepted and ignored."""

    name: DnsName
    namespace: DnsName = "default"
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    uid: str | None = None
    generation: int | None = None
    creation_timestamp: str | None = None
    resource_version: str | None = None
    managed_fields: list[Any] | None = None


class ScheduledTask(Closed):
    """A task and its schedule."""

    api_version: Literal["financehub.io/v1alpha1"]
    kind: Literal["ScheduledTask"]
    metadata: Metadata
    spec: ScheduledTaskSpec
    status: dict[str, Any] | None = Field(None, description="Written by the scheduler, and ignored in files.")

    @model_validator(mode="after")
    def _follows_another(self) -> Self:
        if self.spec.after == self.metadata.name:
            problem = f"{self.spec.after!r} is the name of this resource; write the name of another ScheduledTask"
            raise refusal([(("spec", "after"), problem)])
        return self


def from_resource(body: Mapping[str, Any]) -> ScheduledTask:
    """Validate a resource from the API server.

    Args:
        body: The object. Metadata that a file cannot contain is ignored.

    Raises:
        ValueError: The resource is invalid. The message names the field.
    """
    known = {"name", "namespace", "labels", "annotations"}
    metadata = {name: value for name, value in body["metadata"].items() if name in known}
    data = {name: body.get(name) for name in ("apiVersion", "kind", "spec")} | {"metadata": metadata}
    try:
        return ScheduledTask.model_validate_json(json.dumps(data))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "json_invalid":
            # The JSON is ours, so the only possible reason is the limit of the parser, which is about 200 levels.
            raise ValueError("spec: it is nested too deeply; write fewer levels of lists and mappings") from None
        field = ".".join(str(part) for part in first["loc"] if part != "function-after")
        raise ValueError(f"{field}: {first['msg'].removeprefix('Value error, ')}") from None
