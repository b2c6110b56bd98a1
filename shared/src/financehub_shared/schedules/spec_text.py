"""The spec of a registered schedule as YAML, with the default values of the fields that it leaves out."""

from collections.abc import Mapping
from typing import Any, Final

import yaml

from financehub_shared.schedules.listing import ScheduleInfo

#: Field → its default value. The scheduler's model of the resource has the same, which a test compares. Fields without
#: a value by default, such as `startTime`, are not in it.
SPEC_DEFAULTS: Final[Mapping[str, Any]] = {
    "timeZone": "UTC",
    "dayMatch": "Any",
    "exclude": [],
    "args": [],
    "kwargs": {},
    "suspend": False,
    "concurrencyPolicy": "Forbid",
    "catchUp": "Latest",
    "jitterSeconds": 0,
}
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def spec_yaml(info: ScheduleInfo) -> str:
    """Return the spec of a schedule as YAML: first the fields as written, then the others with their default values."""
    defaults = {"queue": info.queue, **SPEC_DEFAULTS}
    left_out = {name: value for name, value in defaults.items() if name not in info.spec}
    try:
        text = _dump(info.spec) if info.spec else ""
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        return f"# The spec cannot be shown ({type(error).__name__}).\n"
    return text + (f"# default values\n{_dump(left_out)}" if left_out else "")


def _dump(value: Mapping[str, Any]) -> str:
    text: str = yaml.dump_all([dict(value)], Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=100)
    return text
