"""The types of a ScheduledTask's fields, each with the values that it allows."""

import re
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError

from financehub_shared.recurrence.cron_fields import field_problems
from financehub_shared.recurrence.rules import parse_rule, parse_zone
from financehub_shared.recurrence.sessions import CLOSE, OPEN
from financehub_shared.spec.cel.schedule import SCHEDULE

#: The schedules that need a calendar.
SESSIONS = (OPEN, CLOSE)
_DATE_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"

DnsName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)]
#: Names of actors and queues that dramatiq's Redis broker accepts.
ActorName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=200)]
QueueName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9._-]*$", max_length=63)]


def _schedule(value: str) -> str:
    if character := re.search(r"[^\x20-\x7e\t\n\r\f]", value):
        raise ValueError(
            f"{value!r} has the character U+{ord(character[0]):04X}, which no schedule has, such as a long dash or a "
            "special space; type it again with plain hyphens and spaces"
        )
    text = value.strip()
    if text not in SESSIONS:
        # The rules that depend on other fields are those of the whole spec.
        try:
            parse_rule(text, parse_zone("UTC"))
        except ValueError as error:
            problems = [str(error)] if text.startswith("@") else field_problems(text)
            if len(problems) < 2 or text.upper().startswith(("TZ=", "CRON_TZ=")):
                raise
            raise refusal([((), problem) for problem in problems]) from None
    return text


def _not_empty(value: Any) -> Any:
    if value == "":
        raise ValueError("'' is not a schedule; write one such as '@every 5m' or '30 6 * * 1-5'")
    return value


#: The length is that of the text as written, with the spaces around it, as the API server counts it.
ScheduleText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256),
    BeforeValidator(_not_empty),
    AfterValidator(_schedule),
    Field(json_schema_extra=SCHEDULE),
]


def _rfc_3339(value: Any) -> Any:
    # Pydantic also accepts other formats, which the API server refuses.
    if not isinstance(value, str) or not re.fullmatch(_DATE_TIME, value, re.IGNORECASE):
        raise ValueError("needs an offset and seconds; write it like 2026-12-01T09:00:00Z")
    return value


#: In strict mode, pydantic would refuse strings here, because a function validates them first.
DateTime = Annotated[datetime, BeforeValidator(_rfc_3339), Strict(strict=False)]


class ConcurrencyPolicy(StrEnum):
    """The treatment of a due run while the previous run is still queued, running or waiting for a retry."""

    ALLOW = "Allow"
    FORBID = "Forbid"  # skip the new run
    REPLACE = "Replace"  # delete the old run if it is still queued; a running one finishes
    BUFFER_ONE = "BufferOne"  # let one run wait and skip the others
    BUFFER_ALL = "BufferAll"  # let all runs wait, in order


class DayMatch(StrEnum):
    """`spec.dayMatch`: how the day of month and the weekday of a cron expression combine if both are restricted."""

    ANY = "Any"
    ALL = "All"


class Weekday(StrEnum):
    """A weekday in `spec.exclude`."""

    MON = "MON"
    TUE = "TUE"
    WED = "WED"
    THU = "THU"
    FRI = "FRI"
    SAT = "SAT"
    SUN = "SUN"


class CatchUp(StrEnum):
    """`spec.catchUp`: the treatment of runs that became due while no scheduler could enqueue them."""

    NONE = "None"
    LATEST = "Latest"
    ALL = "All"


class Closed(BaseModel):
    """A strict model: an unknown field is an error, and so is a number in quotes."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=False,
        validate_by_alias=True,
    )


#: The place of a problem below its model, with the names of YAML, and its description with the fix.
Problem = tuple[tuple[str | int, ...], str]


def refusal(problems: Sequence[Problem]) -> ValidationError:
    """Return the error with which a model's validator refuses several fields, so that each error has its place."""
    return ValidationError.from_exception_data(
        "spec",
        [
            InitErrorDetails(
                type=PydanticCustomError("value_error", "{problem}", {"problem": problem}), loc=place, input=None
            )
            for place, problem in problems
        ],
    )
