"""The CEL rules of the CRD. With them, the API server refuses invalid specs on its own, without the scheduler.

Each rule corresponds to a Python validator. Cron expressions have cronsim's grammar.
"""

from typing import Any

_MONTHS = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
_DAYS = "SUN|MON|TUE|WED|THU|FRI|SAT"
_STEP = r"(/0*[1-9][0-9]*)?"
_FIELDS = {
    "minute": ("0-59", r"0*[0-5]?[0-9]", ""),
    "hour": ("0-23", r"0*(1?[0-9]|2[0-3])", ""),
    "day of month": ("1-31, L or LW", r"0*([1-9]|[12][0-9]|3[01])", "|LW?" + _STEP),
    "month": ("1-12 or JAN-DEC", rf"(0*([1-9]|1[0-2])|{_MONTHS})", ""),
    "weekday": ("0-7 or SUN-SAT", rf"(0*[0-7]|{_DAYS})", rf"|(0*[0-7]|{_DAYS})#0*[1-5]|0*[0-7]L"),
}
_ALIASES = "@(hourly|daily|midnight|weekly|monthly|yearly|annually)"
_CRON = r"^\s*[^@\s]\S*(\s+\S+){4}\s*$"
_FORM = rf"{_CRON}|^\s*({_ALIASES}|@every\s+([0-9]+[dhms])+)\s*$"


def _rules(*triples: tuple[str, str, str]) -> dict[str, Any]:
    """Convert triples of CEL rule, message and field to validations for pydantic's `json_schema_extra`."""
    return {
        "x-kubernetes-validations": [
            {"rule": rule, "message": message} | ({"fieldPath": field} if field else {})
            for rule, message, field in triples
        ]
    }


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\") + "'"


def _field_rules() -> list[tuple[str, str, str]]:
    """Return one rule per cron field. A separate rule checks that there are five fields."""
    found = []
    for place, (name, (allowed, value, special)) in enumerate(_FIELDS.items()):
        term = rf"((\*|{value}(-{value})?){_STEP}{special})"
        pattern = rf"(?i)^\s*(\S+\s+){{{place}}}{term}(,{term})*(\s|$)"
        message = f"{name}: use {allowed}, with * , - and / as operators"
        found.append((f"!self.matches({_quoted(_CRON)}) || self.matches({_quoted(pattern)})", message, ""))
    return found


SCHEDULE = _rules(
    (
        f"self.matches({_quoted(_FORM)})",
        "write five cron fields (minute hour day-of-month month weekday), an alias like '@hourly', or '@every 5m'",
        "",
    ),
    *_field_rules(),
)
ZONE = _rules(
    # Go also accepts offsets and 'Local'.
    (
        "self.matches('^[A-Za-z][A-Za-z0-9_+/-]*$') && self != 'Local'",
        "write an IANA time zone like UTC or Europe/Berlin",
        "",
    ),
    (
        "timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0",
        "is not an IANA time zone; write one like UTC or Europe/Berlin",
        "",
    ),
)

CLOCK = _rules(
    (
        "self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')",
        'is not a time of day; write hours and minutes from "00:00" to "23:59"',
        "",
    )
)
DATES = _rules(
    (
        "self.matches('^([0-9]{4}-)?[0-9]{2}-[0-9]{2}$|^[0-9]{4}-[0-9]{2}-[0-9]{2}/[0-9]{4}-[0-9]{2}-[0-9]{2}$')",
        'is not a date; write it like "2026-12-24", "12-25" or "2026-12-24/2027-01-02"',
        "",
    )
)
EXCLUSION = _rules(
    (
        "has(self.weekdays) || has(self.from) || has(self.to) || has(self.dates) || has(self.holidays)",
        "the entry is empty; write at least one of weekdays, from and to, dates, holidays",
        "",
    ),
    ("has(self.from) == has(self.to)", "write both from and to, or neither for the whole day", ""),
    (
        "!has(self.from) || !has(self.to) || self.from != self.to",
        "from and to are equal; leave both out to exclude the whole day",
        ".to",
    ),
)


def spec(catalog: tuple[str, ...]) -> dict[str, Any]:
    """Return the rules of the whole spec.

    Args:
        catalog: Names of the catalog tasks, whose queues are known.
    """
    known = ", ".join(f"'{name}'" for name in catalog)
    return _rules(
        (
            "[has(self.schedule), has(self.schedules), has(self.after)].filter(each, each).size() == 1",
            "write exactly one of schedule, schedules and after",
            ".schedule",
        ),
        (
            "!has(self.calendarOffsetSeconds) || has(self.calendar)",
            "calendarOffsetSeconds needs calendar; add one such as XNYS, or remove it",
            ".calendar",
        ),
        (
            f"has(self.queue) || self.task in [{known}]",
            f"a task outside the catalog needs a queue; the catalog has {', '.join(catalog)}",
            ".queue",
        ),
        (
            "!has(self.startTime) || !has(self.endTime) || self.startTime <= self.endTime",
            "endTime is before startTime; swap them",
            ".endTime",
        ),
    )
