"""The model of one entry of `spec.exclude`: times that are not due although the schedule names them."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from financehub_shared.recurrence.calendar import exchanges, load_calendar
from financehub_shared.spec import cel
from financehub_shared.spec.fields import Closed, Weekday

ClockText = Annotated[str, StringConstraints(max_length=5), Field(json_schema_extra=cel.CLOCK)]
DatesText = Annotated[str, StringConstraints(max_length=21), Field(json_schema_extra=cel.DATES)]
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
#: A leap year, so that 02-29 exists among the days of every year.
_LEAP_YEAR = "2000"


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
        json_schema_extra={"enum": list(exchanges())},
    )

    @field_validator("from_", "to")
    @classmethod
    def _clock_is_valid(cls, value: str | None) -> str | None:
        if value is not None and not _CLOCK.fullmatch(value):
            raise ValueError(f'{value!r} is not a time of day; write hours and minutes from "00:00" to "23:59"')
        return value

    @field_validator("dates")
    @classmethod
    def _dates_are_valid(cls, value: list[str] | None) -> list[str] | None:
        _check_dates(value or ())
        return value

    @field_validator("holidays")
    @classmethod
    def _exchange_exists(cls, value: str | None) -> str | None:
        if value is not None:
            load_calendar(value)
        return value

    @model_validator(mode="after")
    def _fields_are_consistent(self) -> Self:
        if all(value is None for value in (self.weekdays, self.from_, self.to, self.dates, self.holidays)):
            raise ValueError("the entry is empty; write at least one of weekdays, from and to, dates, holidays")
        if (self.from_ is None) != (self.to is None):
            written, missing = ("to", "from") if self.from_ is None else ("from", "to")
            raise ValueError(f"{written} needs {missing}; write both, or neither for the whole day")
        if self.from_ is not None and self.from_ == self.to:
            raise ValueError(f"from and to are both {self.from_!r}; leave both out to exclude the whole day")
        return self


def _check_dates(texts: Sequence[str]) -> None:
    """Refuse a date that does not exist.

    Raises:
        ValueError: One of the texts is not a date, a day of every year or a range of two dates.
    """
    for text in texts:
        try:
            if re.fullmatch(r"[0-9]{2}-[0-9]{2}", text):
                date.fromisoformat(f"{_LEAP_YEAR}-{text}")
                continue
            days = [_parse_date(part) for part in text.split("/")]
        except ValueError:
            days = []
        if not 1 <= len(days) <= 2:
            raise ValueError(
                f'{text!r} is not a date; write it like "2026-12-24", "12-25" or "2026-12-24/2027-01-02", '
                "with days that exist"
            )
        if days[0] > days[-1]:
            raise ValueError(f"{text!r} ends before it begins; swap the two dates")


def _parse_date(text: str) -> date:
    # `date.fromisoformat` also accepts other forms, such as 20261224 and 2026-W52-4.
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError(text)
    return date.fromisoformat(text)
