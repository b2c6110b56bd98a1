"""What must be refused, and by whom: rows for the API server, for files and for the scheduler."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from support.schedules import resource

#: A task of the catalog, without anything to complain of.
NEWS: dict[str, Any] = {"task": "fetch_news_task", "schedule": "@hourly"}
CRYPTO: dict[str, Any] = {"task": "fetch_crypto_prices_task", "schedule": "@hourly", "startingDeadlineSeconds": 60}
OTHER: dict[str, Any] = {"task": "my_task", "queue": "q", "schedule": "@hourly"}


@dataclass(frozen=True)
class Wrong:
    """One row.

    Args:
        spec: of the resource.
        field: that the API server names, as it writes it.
        words: part of what it says.
        annotations: of the resource.
        name: of the resource.
        unseen: the API server cannot know; the scheduler refuses it, with these words.
    """

    spec: Any
    field: str
    words: str = ""
    annotations: Mapping[str, str] | None = None
    name: str = "demo"
    unseen: bool = False

    def body(self) -> dict[str, Any]:
        """The resource."""
        body = resource(self.name, dict(self.annotations or {}))
        return {**body, "spec": self.spec}


def without(spec: dict[str, Any], *names: str) -> dict[str, Any]:
    """A spec that lacks some fields."""
    return {name: value for name, value in spec.items() if name not in names}


FORM = "write five cron fields"
WRONG: dict[str, Wrong] = {
    # when
    "no schedule": Wrong(without(NEWS, "schedule"), "spec.schedule", "exactly one of schedule and schedules"),
    "both schedules": Wrong(NEWS | {"schedules": ["@daily"]}, "spec.schedule", "exactly one of"),
    "empty schedule": Wrong(NEWS | {"schedule": ""}, "spec.schedule", "at least 1 chars"),
    "blank schedule": Wrong(NEWS | {"schedule": "   "}, "spec.schedule", FORM),
    "schedule of a thousand characters": Wrong(
        NEWS | {"schedule": "1," * 500}, "spec.schedule", "may not be more than 256"
    ),
    "schedule that is a number": Wrong(NEWS | {"schedule": 5}, "spec.schedule", "must be of type string"),
    "schedule that is a list": Wrong(NEWS | {"schedule": ["@daily"]}, "spec.schedule", "must be of type string"),
    "four fields": Wrong(NEWS | {"schedule": "* * * *"}, "spec.schedule", FORM),
    "six fields": Wrong(NEWS | {"schedule": "0 * * * * *"}, "spec.schedule", FORM),
    "unknown alias": Wrong(NEWS | {"schedule": "@fortnightly"}, "spec.schedule", FORM),
    "prose": Wrong(NEWS | {"schedule": "every five minutes"}, "spec.schedule", FORM),
    "prose of five words": Wrong(
        NEWS | {"schedule": "at noon on every day"}, "spec.schedule", "minute: allowed are 0-59"
    ),
    "minute 60": Wrong(NEWS | {"schedule": "60 * * * *"}, "spec.schedule", "minute: allowed are 0-59"),
    "negative minute": Wrong(NEWS | {"schedule": "-1 * * * *"}, "spec.schedule", "minute: allowed are 0-59"),
    "hour 24": Wrong(NEWS | {"schedule": "0 24 * * *"}, "spec.schedule", "hour: allowed are 0-23"),
    "day 0": Wrong(NEWS | {"schedule": "0 0 0 * *"}, "spec.schedule", "day of month: allowed are 1-31"),
    "day 32": Wrong(NEWS | {"schedule": "0 0 32 * *"}, "spec.schedule", "day of month: allowed are 1-31"),
    "month 13": Wrong(NEWS | {"schedule": "0 0 1 13 *"}, "spec.schedule", "month: allowed are 1-12 or JAN-DEC"),
    "month of another language": Wrong(NEWS | {"schedule": "0 0 1 MAI *"}, "spec.schedule", "month: allowed are"),
    "weekday 8": Wrong(NEWS | {"schedule": "0 0 * * 8"}, "spec.schedule", "weekday: allowed are 0-7 or SUN-SAT"),
    "sixth Monday": Wrong(NEWS | {"schedule": "0 0 * * 1#6"}, "spec.schedule", "weekday: allowed are"),
    "step of zero": Wrong(NEWS | {"schedule": "*/0 * * * *"}, "spec.schedule", "minute: allowed are"),
    "step of a half": Wrong(NEWS | {"schedule": "*/0.5 * * * *"}, "spec.schedule", "minute: allowed are"),
    "open range": Wrong(NEWS | {"schedule": "5- * * * *"}, "spec.schedule", "minute: allowed are"),
    "list that ends in a comma": Wrong(NEWS | {"schedule": "1,2, * * * *"}, "spec.schedule", "minute: allowed are"),
    "digits of another script": Wrong(NEWS | {"schedule": "٥ * * * *"}, "spec.schedule", "minute: allowed are"),
    "interval without a number": Wrong(NEWS | {"schedule": "@every m"}, "spec.schedule", FORM),
    "interval of an unknown unit": Wrong(NEWS | {"schedule": "@every 2w"}, "spec.schedule", FORM),
    "negative interval": Wrong(NEWS | {"schedule": "@every -5m"}, "spec.schedule", FORM),
    "interval of nothing": Wrong(
        NEWS | {"schedule": "@every 0s"}, "spec.schedule", "between 1 s and 366 days", unseen=True
    ),
    "interval of two years": Wrong(NEWS | {"schedule": "@every 800d"}, "spec.schedule", "between 1 s and", unseen=True),
    "range that runs backwards": Wrong(NEWS | {"schedule": "9-5 * * * *"}, "spec.schedule", "Bad minute", unseen=True),
    "31 February": Wrong(NEWS | {"schedule": "0 0 31 2 *"}, "spec.schedule", "31 February never comes", unseen=True),
    "no schedules in the list": Wrong(
        without(NEWS, "schedule") | {"schedules": []}, "spec.schedules", "at least 1 items"
    ),
    "seventeen schedules": Wrong(
        without(NEWS, "schedule") | {"schedules": [f"{n} 0 * * *" for n in range(17)]},
        "spec.schedules",
        "at most 16 items",
    ),
    "one bad schedule of two": Wrong(
        without(NEWS, "schedule") | {"schedules": ["@daily", "61 * * * *"]}, "spec.schedules[1]", "minute: allowed are"
    ),
    "schedules that are one text": Wrong(
        without(NEWS, "schedule") | {"schedules": "@daily"}, "spec.schedules", "must be of type array"
    ),
    # where in the world
    "unknown zone": Wrong(NEWS | {"timeZone": "Mars/Olympus"}, "spec.timeZone", "unknown time zone Mars/Olympus"),
    "offset for a zone": Wrong(NEWS | {"timeZone": "+02:00"}, "spec.timeZone", "write an IANA time zone"),
    "the machine's zone": Wrong(NEWS | {"timeZone": "Local"}, "spec.timeZone", "write an IANA time zone"),
    "empty zone": Wrong(NEWS | {"timeZone": ""}, "spec.timeZone", "at least 1 chars"),
    "zone that climbs folders": Wrong(NEWS | {"timeZone": "../etc/passwd"}, "spec.timeZone", "write an IANA time zone"),
    "unknown exchange": Wrong(NEWS | {"calendar": "XMARS"}, "spec.calendar", "supported values"),
    "exchange in small letters": Wrong(NEWS | {"calendar": "xnys"}, "spec.calendar", "supported values"),
    # what and where to
    "no task": Wrong(without(NEWS, "task"), "spec.task", "Required value"),
    "empty task": Wrong(OTHER | {"task": ""}, "spec.task", "should match"),
    "task with a space": Wrong(OTHER | {"task": "my task"}, "spec.task", "should match"),
    "task of another script": Wrong(OTHER | {"task": "ñandú"}, "spec.task", "should match"),
    "task of 201 characters": Wrong(OTHER | {"task": "t" * 201}, "spec.task", "may not be more than 200"),
    "no queue": Wrong(without(OTHER, "queue"), "spec.queue", "the catalog has fetch_crypto_prices_task"),
    "queue with a slash": Wrong(OTHER | {"queue": "a/b"}, "spec.queue", "should match"),
    "queue of 64 characters": Wrong(OTHER | {"queue": "q" * 64}, "spec.queue", "may not be more than 63"),
    # arguments
    "args that are an object": Wrong(OTHER | {"args": {"a": 1}}, "spec.args", "unknown field"),
    "args of a text": Wrong(OTHER | {"args": "[1]"}, "spec.args", "must be of type array"),
    "65 args": Wrong(OTHER | {"args": [1] * 65}, "spec.args", "at most 64 items"),
    "kwargs that are a list": Wrong(OTHER | {"kwargs": [1]}, "spec.kwargs", "must be of type object"),
    "kwargs of a text": Wrong(OTHER | {"kwargs": "{}"}, "spec.kwargs", "must be of type object"),
    "65 kwargs": Wrong(OTHER | {"kwargs": {f"k{n}": n for n in range(65)}}, "spec.kwargs", "at most 64"),
    "args of a task of the catalog": Wrong(NEWS | {"args": [1]}, "spec.args", "keyword arguments only"),
    "argument of another task": Wrong(NEWS | {"kwargs": {"symbols": ["A"]}}, "spec.kwargs", "takes: sources"),
    "argument of a task that takes none": Wrong(
        {"task": "health_check_task", "schedule": "@hourly", "kwargs": {"x": 1}}, "spec.kwargs", "takes: none"
    ),
    "symbols that are one text": Wrong(CRYPTO | {"kwargs": {"symbols": "BTC-USD"}}, "spec.kwargs.symbols", "a list of"),
    "symbols in small letters": Wrong(
        CRYPTO | {"kwargs": {"symbols": ["btc"]}}, "spec.kwargs.symbols", "such as BTC-USD"
    ),
    "no symbols": Wrong(CRYPTO | {"kwargs": {"symbols": []}}, "spec.kwargs.symbols", "a list of 1 to"),
    "symbols that are numbers": Wrong(CRYPTO | {"kwargs": {"symbols": [1]}}, "spec.kwargs.symbols", "a list of"),
    "dry_run of a text": Wrong(
        {"task": "cleanup_old_cache_task", "schedule": "@daily", "kwargs": {"dry_run": "yes"}},
        "spec.kwargs.dry_run",
        "true or false",
    ),
    # limits
    "suspend of a text": Wrong(NEWS | {"suspend": "yes"}, "spec.suspend", "must be of type boolean"),
    "long reason": Wrong(NEWS | {"suspendReason": "x" * 257}, "spec.suspendReason", "may not be more than 256"),
    "unknown policy": Wrong(NEWS | {"concurrencyPolicy": "Queue"}, "spec.concurrencyPolicy", "supported values"),
    "policy in small letters": Wrong(
        NEWS | {"concurrencyPolicy": "forbid"}, "spec.concurrencyPolicy", "supported values"
    ),
    "unknown catch-up": Wrong(NEWS | {"catchUp": "Some"}, "spec.catchUp", "supported values"),
    "deadline of nothing": Wrong(NEWS | {"startingDeadlineSeconds": 0}, "spec.startingDeadlineSeconds", "equal to 1"),
    "deadline of a text": Wrong(
        NEWS | {"startingDeadlineSeconds": "60"}, "spec.startingDeadlineSeconds", "of type integer"
    ),
    "deadline of a year": Wrong(
        NEWS | {"startingDeadlineSeconds": 31_536_000}, "spec.startingDeadlineSeconds", "less than or equal to 2592000"
    ),
    "half a second of jitter": Wrong(NEWS | {"jitterSeconds": 0.5}, "spec.jitterSeconds", "must be of type integer"),
    "negative jitter": Wrong(NEWS | {"jitterSeconds": -1}, "spec.jitterSeconds", "greater than or equal to 0"),
    "negative depth": Wrong(NEWS | {"maxQueueDepth": -1}, "spec.maxQueueDepth", "greater than or equal to 0"),
    "a hundred and one retries": Wrong(NEWS | {"retries": 101}, "spec.retries", "less than or equal to 100"),
    "no time": Wrong(NEWS | {"timeLimitSeconds": 0}, "spec.timeLimitSeconds", "greater than or equal to 1"),
    "two days of time": Wrong(NEWS | {"timeLimitSeconds": 172_800}, "spec.timeLimitSeconds", "less than or equal to"),
    "no runs": Wrong(NEWS | {"maxRuns": 0}, "spec.maxRuns", "greater than or equal to 1"),
    "number beyond all": Wrong(NEWS | {"maxRuns": 10**30}, "spec.maxRuns", ""),
    "start without offset": Wrong(NEWS | {"startTime": "2026-01-01T00:00:00"}, "spec.startTime", "date-time"),
    "start of a day": Wrong(NEWS | {"startTime": "2026-01-01"}, "spec.startTime", "date-time"),
    "start of a number": Wrong(NEWS | {"startTime": 1_767_225_600}, "spec.startTime", "in body must be"),
    "start in Unix seconds": Wrong(NEWS | {"startTime": "1764579600"}, "spec.startTime", "date-time"),
    "start with a space": Wrong(NEWS | {"startTime": "2026-12-01 09:00:00Z"}, "spec.startTime", "date-time"),
    "start without seconds": Wrong(NEWS | {"startTime": "2026-12-01T09:00Z"}, "spec.startTime", "date-time"),
    "task of nothing": Wrong(NEWS | {"task": None}, "spec.task", "Required value"),
    "30 February": Wrong(NEWS | {"endTime": "2026-02-30T00:00:00Z"}, "spec.endTime", "date-time"),
    "end before start": Wrong(
        NEWS | {"startTime": "2026-01-02T00:00:00Z", "endTime": "2026-01-01T00:00:00Z"}, "spec.endTime", "swap them"
    ),
    # the whole
    "unknown field": Wrong(NEWS | {"cron": "* * * * *"}, "spec.cron", "unknown field"),
    "field in another case": Wrong(NEWS | {"timezone": "UTC"}, "spec.timezone", "unknown field"),
    "spec that is a list": Wrong([NEWS], "spec", "unknown field"),
    "spec that is a text": Wrong("@hourly", "spec", "must be of type object"),
    "spec that is nothing": Wrong({}, "spec.task", "Required value"),
    # annotations
    "backfill that is no range": Wrong(
        NEWS, "metadata.annotations[financehub.io/backfill]", "is not a range", {"financehub.io/backfill": "yesterday"}
    ),
    "backfill without offset": Wrong(
        NEWS,
        "metadata.annotations[financehub.io/backfill]",
        "is not a range",
        {"financehub.io/backfill": "2026-01-01T00:00:00/2026-01-02T00:00:00"},
    ),
    "backfill that runs backwards": Wrong(
        NEWS,
        "metadata.annotations[financehub.io/backfill]",
        "swap them",
        {"financehub.io/backfill": "2026-01-02T00:00Z/2026-01-02T00:30:00+01:00"},
    ),
    "backfill of no day": Wrong(
        NEWS,
        "financehub.io/backfill",
        "is not a range",
        {"financehub.io/backfill": "2026-13-45T00:00:00Z/2026-13-46T00:00:00Z"},
        unseen=True,
    ),
    "long trigger": Wrong(
        NEWS, "metadata.annotations[financehub.io/trigger]", "longer than 256", {"financehub.io/trigger": "x" * 257}
    ),
    # names
    "name of another script": Wrong(NEWS, "metadata.name", "RFC 1123", name="täglich"),
    "name in capitals": Wrong(NEWS, "metadata.name", "RFC 1123", name="Daily"),
    "name of 254 characters": Wrong(NEWS, "metadata.name", "no more than 253", name="n" * 254),
}

RIGHT: dict[str, Wrong] = {
    "least": Wrong(NEWS, ""),
    "spaces": Wrong(NEWS | {"schedule": " 0\t 6 * *  mon-FRI "}, ""),
    "names and steps": Wrong(NEWS | {"schedule": "*/7,1-5/2 9-17 L JAN,mar-dec 5L,1#2"}, ""),
    "last weekday": Wrong(NEWS | {"schedule": "0 0 LW * *"}, ""),
    "leading zeros": Wrong(NEWS | {"schedule": "007 09 01 012 00"}, ""),
    "Sunday twice": Wrong(NEWS | {"schedule": "0 0 * * 0,7"}, ""),
    "long interval": Wrong(NEWS | {"schedule": "@every 1d2h3m4s"}, ""),
    "several": Wrong(without(NEWS, "schedule") | {"schedules": ["@daily", "@every 90s", "0 0 1 1 *"]}, ""),
    "zone": Wrong(NEWS | {"timeZone": "America/Argentina/Buenos_Aires"}, ""),
    "zone with a sign": Wrong(NEWS | {"timeZone": "Etc/GMT+5"}, ""),
    "exchange": Wrong(NEWS | {"calendar": "XNYS"}, ""),
    "own task": Wrong(OTHER | {"args": [1, "x", None, {"a": [True]}], "kwargs": {"deep": {"a": [{"b": None}]}}}, ""),
    "unicode in arguments": Wrong(OTHER | {"kwargs": {"ключ": "значение 🎉"}}, ""),
    "symbols": Wrong(CRYPTO | {"kwargs": {"symbols": ["BTC-USD", "^GSPC", "VOD.L"]}}, ""),
    "symbols of nothing": Wrong(CRYPTO | {"kwargs": {"symbols": None}}, ""),
    "all limits": Wrong(
        NEWS
        | {
            "suspend": True,
            "suspendReason": "Wartung ✋",
            "concurrencyPolicy": "BufferOne",
            "startingDeadlineSeconds": 2_592_000,
            "catchUp": "None",
            "jitterSeconds": 86_400,
            "maxQueueDepth": 0,
            "retries": 0,
            "timeLimitSeconds": 1,
            "maxRuns": 1,
        },
        "",
    ),
    "nulls": Wrong(NEWS | dict.fromkeys(("suspend", "queue", "args", "kwargs", "schedules", "catchUp", "endTime")), ""),
    "whole numbers written as fractions": Wrong(NEWS | {"retries": 1.0}, ""),
    "small letters in a time": Wrong(NEWS | {"startTime": "2026-12-01t09:00:00z"}, ""),
    "times": Wrong(NEWS | {"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T01:00:00.5+01:00"}, ""),
    "annotations": Wrong(
        NEWS,
        "",
        "",
        {
            "financehub.io/trigger": "x" * 256,
            "financehub.io/backfill": "2026-01-01T00:00Z/2026-01-01T02:00:00.25+02:00",
            "example.com/note": "anything",
        },
    ),
    "longest name": Wrong(NEWS, "", name="n" * 253),
}
