"""The model of one entry of `spec.exclude`: times that are not due although the schedule names them."""

import re
from datetime import date
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, field_validator, model_validator

from financehub_shared.recurrence.calendar import exchanges_with_holidays
from financehub_shared.spec.cel import fields as cel
from financehub_shared.spec.exclusion_hints import LEAP_YEAR, LONGEST, near_clock, near_dates
from financehub_shared.spec.fields import Closed, Weekday, refusal

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_DATE = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}")


def _check_clock(text: Any) -> Any:
    # Another type or a long text is refused later, as such.
    if isinstance(text, str) and len(text) <= LONGEST and not _CLOCK.fullmatch(text):
        near = near_clock(text)
        fix = f'"{near}"' if near else 'hours and minutes from "00:00" to "23:59"'
        raise ValueError(f"{text!r} is not a time of day; write {fix}")
    return text


def _check_dates(text: Any) -> Any:
    """Refuse what is not a date, a day of every year or a range of two dates, and dates that do not exist."""
    if not isinstance(text, str) or len(text) > LONGEST:
        return text
    try:
        if re.fullmatch(r"[0-9]{2}-[0-9]{2}", text):
            days = [_parse_date(f"{LEAP_YEAR}-{text}")]
        else:
            days = [_parse_date(part) for part in text.split("/")]
    except ValueError:
        days = []
    if not 1 <= len(days) <= 2:
        fix = near_dates(text) or 'one that exists, like "2026-12-24", "12-25" or "2026-12-24/2027-01-02"'
        raise ValueError(f"{text!r} is not a valid date or range; write {fix}")
    if days[0] > days[-1]:
        raise ValueError(f"{text!r} ends before it begins; swap the two dates")
    return text


def _parse_date(text: str) -> date:
    # `date.fromisoformat` also accepts other forms, such as 20261224 and 2026-W52-4.
    if not _DATE.fullmatch(text):
        raise ValueError(text)
    return date.fromisoformat(text)


ClockText = Annotated[
    str, StringConstraints(max_length=5), BeforeValidator(_check_clock), Field(json_schema_extra=cel.CLOCK)
]
DatesText = Annotated[
    str, StringConstraints(max_length=21), BeforeValidator(_check_dates), Field(json_schema_extra=cel.DATES)
]


class Exclusion(Closed):
    """An entry of `spec.exclude`. It excludes the due times to which all of its fields apply."""

    model_config = ConfigDict(json_schema_extra=cel.EXCLUSION)

    weekdays: list[Weekday] | None = Field(
        None,
        min_length=1,
        max_length=7,
        description="Weekdays, such as [SAT, SUN]. With `from` and `to`, the day on which the window begins.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    from_: ClockText | None = Field(
        None,
        alias="from",
        description='Beginning of a window of each day, inclusive, such as "22:00". Needs `to`. If it is later than '
        "`to`, the window goes over midnight, and the other fields of the entry mean the day on which it begins.",
    )
    to: ClockText | None = Field(
        None, description='End of the window, exclusive, such as "06:00". "00:00" is the end of the day. Needs `from`.'
    )
    dates: list[DatesText] | None = Field(
        None,
        min_length=1,
        max_length=100,
        description='Dates: one day such as "2026-12-24", a day of every year such as "12-25", or a range such as '
        '"2026-12-24/2027-01-02", whose two ends are excluded too.',
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    holidays: str | None = Field(
        None,
        max_length=8,
        description="Exchange, such as XNYS, whose holidays are excluded: the days from Monday to Friday on which it "
        "has no session.",
        json_schema_extra={"enum": list(exchanges_with_holidays())},
    )

    @field_validator("holidays")
    @classmethod
    def _exchange_exists(cls, value: str | None) -> str | None:
        known = exchanges_with_holidays()
        if value is not None and value not in known:
            raise ValueError(f"{value!r} is not an exchange with holidays; write one of {', '.join(known)}")
        return value

    @model_validator(mode="after")
    def _fields_are_consistent(self) -> Self:
        if all(value is None for value in (self.weekdays, self.from_, self.to, self.dates, self.holidays)):
            raise ValueError("the entry is empty; write at least one of weekdays, from and to, dates, holidays")
        if self.from_ is None and self.to is not None:
            raise refusal([(("from",), "to needs from; write both, or neither for the whole day")])
        if self.from_ is not None and self.to is None:
            raise refusal([(("to",), "from needs to; write both, or neither for the whole day")])
        if self.from_ is not None and self.from_ == self.to:
            raise refusal([(("to",), f"{self.to!r} is the same time as from; leave both out to exclude the whole day")])
        return self
