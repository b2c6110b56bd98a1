"""Invalid values of the fields of a spec that our own rules refuse, with words that all three sides print."""

from typing import Any

from support.spec_case import NEWS, OTHER, SpecCase, without

_ZONE = "is not an IANA time zone; write one like 'UTC' or 'Europe/Berlin'"
_DATE = "is not a valid date or range; write"
_CLOCK = "is not a time of day; write"
_BACKFILL = "metadata.annotations[financehub.io/backfill]"
_AFTER = without(NEWS, "schedule") | {"after": "fetch-prices"}


def _rule(spec: dict[str, Any], field: str, words: str) -> SpecCase:
    return SpecCase(spec, field, words, everywhere=True)


def _exclude(entry: dict[str, Any], field: str, words: str) -> SpecCase:
    """Return a spec whose second entry of `exclude` is invalid."""
    entries = [{"weekdays": ["SAT", "SUN"]}, entry]
    return SpecCase(OTHER | {"exclude": entries}, f"spec.exclude[1]{field}", words, everywhere=True)


def _dates() -> dict[str, SpecCase]:
    found = {
        f"excluded date {text!r}": _exclude({"dates": ["12-25", text]}, ".dates[1]", f"'{text}' {_DATE}")
        for text in (
            *("", "Christmas", "24.12.2026", "2026-12", "2026-12-24T00:00", "20261224", "2026-W52-4", "2026-1-5"),
            *("2026-02-30", "2026-02-29", "2100-02-29", "2026-04-31", "2026-13-01", "2026-00-10", "2026-01-00"),
            *("0999-01-01", "3000-01-01", "02-30", "13-01", "00-01", "1-5", "12-25 ", "--12-25"),
            *("2026-12-24/", "/2026-12-24", "12-24/12-26", "2026-12-24/12-26", "2026-12-24/2027-02-29"),
            *("2026-12-24-2026-12-26", "2026-12-24 2026-12-2"),
        )
    }
    found["excluded dates in the wrong order"] = _exclude(
        {"dates": ["2027-01-02/2026-12-24"]},
        ".dates[0]",
        "'2027-01-02/2026-12-24' ends before it begins; swap the two dates",
    )
    return found


def _clocks() -> dict[str, SpecCase]:
    return {
        f"{name} {text!r}": _exclude({"from": "01:00", "to": "02:00"} | {name: text}, f".{name}", f"'{text}' {_CLOCK}")
        for text in ("24:00", "9:00", "09:60", "0900", "9am", "-1:00", "٠٩:٠٠", "")
        for name in ("from", "to")
    }


INVALID_FIELDS: dict[str, SpecCase] = {
    # exactly one of schedule, schedules and after
    "no schedule": _rule(
        without(NEWS, "schedule"), "spec.schedule", "found none; write exactly one of schedule, schedules and after"
    ),
    "both schedules": _rule(
        NEWS | {"schedules": ["@daily"]}, "spec.schedule", "found schedule and schedules; write exactly one of"
    ),
    "schedule and after": _rule(
        NEWS | {"after": "x"}, "spec.schedule", "found schedule and after; write exactly one of schedule"
    ),
    "schedules and after": _rule(
        _AFTER | {"schedules": ["@daily"]}, "spec.schedule", "found schedules and after; write exactly one of"
    ),
    "all three": _rule(
        NEWS | {"after": "x", "schedules": ["@daily"]},
        "spec.schedule",
        "found schedule and schedules and after; write exactly one of schedule, schedules and after",
    ),
    "after itself": _rule(
        _AFTER | {"after": "demo"}, "spec.after", "'demo' is the name of this resource; write the name of another"
    ),
    # queue
    "no queue": _rule(
        without(OTHER, "queue"),
        "spec.task",
        "'my_task' is not in the catalog, so queue is required; add queue, or write one of fetch_crypto_prices_task",
    ),
    # time zone, calendar and limits of time
    **{
        f"time zone {zone!r}": _rule(NEWS | {"timeZone": zone}, "spec.timeZone", f"'{zone}' {_ZONE}")
        for zone in ("+02:00", "Local", "../etc/passwd", "Europe Berlin", "Европа/Москва")
    },
    **{
        f"time zone {zone!r}": _rule(NEWS | {"timeZone": zone}, "spec.timeZone", _ZONE)
        for zone in ("Mars/Olympus", "CEST", "Europe/", "UTC+2", "UTC\u200b")
    },
    "offset without a calendar": _rule(
        NEWS | {"calendarOffsetSeconds": 900},
        "spec.calendar",
        "calendarOffsetSeconds needs calendar; add one such as XNYS, or remove calendarOffsetSeconds",
    ),
    "offset of zero without a calendar": _rule(
        NEWS | {"calendarOffsetSeconds": 0}, "spec.calendar", "calendarOffsetSeconds needs calendar; add one"
    ),
    "end before start": _rule(
        NEWS | {"startTime": "2026-01-02T00:00:00Z", "endTime": "2026-01-01T00:00:00Z"},
        "spec.endTime",
        "endTime is before startTime; swap them",
    ),
    "end before start in another zone": _rule(
        NEWS | {"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T00:30:00+01:00"},
        "spec.endTime",
        "endTime is before startTime; swap them",
    ),
    # exclude
    "empty exclusion": _exclude({}, "", "the entry is empty; write at least one of weekdays, from and to, dates"),
    "exclusion with from only": _exclude(
        {"from": "22:00"}, ".to", "from needs to; write both, or neither for the whole"
    ),
    "exclusion with to only": _exclude({"to": "06:00"}, ".from", "to needs from; write both, or neither for the whole"),
    "exclusion of weekdays with from only": _exclude(
        {"from": "22:00", "weekdays": ["MON"]}, ".to", "from needs to; write both, or neither for the whole day"
    ),
    "exclusion of an empty window": _exclude(
        {"from": "22:00", "to": "22:00"}, ".to", "'22:00' is the same time as from; leave both out to exclude the whole"
    ),
    **_dates(),
    **_clocks(),
    # annotations
    **{
        f"backfill {value[:60]!r}": SpecCase(NEWS, _BACKFILL, words, {"financehub.io/backfill": value}, everywhere=True)
        for value, words in {
            "yesterday": "'yesterday' is not a range; write it like 2026-11-01T00:00:00Z/2026-11-02T00:00:00Z",
            "2026-01-01T00:00:00Z": "'2026-01-01T00:00:00Z' is not a range; write it like",
            "2026-01-01/2026-01-02": "'2026-01-01/2026-01-02' is not a range; write it like",
            "2026-01-01T00:00:00/2026-01-02T00:00:00": "is not a range; write it like",
            "2026-13-45T00:00:00Z/2026-13-46T00:00:00Z": "is not a range; write it like",
            "2026-02-29T00:00:00Z/2026-03-01T00:00:00Z": "is not a range; write it like",
            "2026-01-01T24:00:00Z/2026-01-02T00:00:00Z": "is not a range; write it like",
            "2026-01-01T00:00:00+99:99/2026-01-02T00:00:00Z": "is not a range; write it like",
            "2026-01-02T00:00Z/2026-01-02T00:30:00+01:00": "ends before it begins; swap the two times",
        }.items()
    },
    "trigger of 257 characters": SpecCase(
        NEWS,
        "metadata.annotations[financehub.io/trigger]",
        "the value is longer than 256 characters; write a shorter one",
        {"financehub.io/trigger": "x" * 257},
        everywhere=True,
    ),
}
