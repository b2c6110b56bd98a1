"""Invalid and valid specs for the checks by the API server, the folder source and the scheduler."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from support.schedules import resource

#: Specs for two catalog tasks, which cause no warning, and for a task outside the catalog.
NEWS: dict[str, Any] = {"task": "fetch_news_task", "schedule": "@hourly"}
CRYPTO: dict[str, Any] = {"task": "fetch_crypto_prices_task", "schedule": "@hourly", "startingDeadlineSeconds": 60}
OTHER: dict[str, Any] = {"task": "my_task", "queue": "q", "schedule": "@hourly"}


@dataclass(frozen=True)
class SpecCase:
    """A resource and the expected result of its checks.

    Args:
        spec: Spec of the resource.
        field: The field as the API server names it. Empty for a valid spec.
        words: Part of the message.
        annotations: Annotations of the resource.
        name: Name of the resource.
        only_scheduler: Whether the API server cannot check the spec, so that the scheduler refuses it with these words.
    """

    spec: Any
    field: str
    words: str = ""
    annotations: Mapping[str, str] | None = None
    name: str = "demo"
    only_scheduler: bool = False

    def body(self) -> dict[str, Any]:
        """Return the resource."""
        body = resource(self.name, dict(self.annotations or {}))
        return {**body, "spec": self.spec}


def without(spec: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return a spec without some fields."""
    return {name: value for name, value in spec.items() if name not in names}


FORM = "write five cron fields"
INVALID: dict[str, SpecCase] = {
    # schedule
    "no schedule": SpecCase(without(NEWS, "schedule"), "spec.schedule", "exactly one of schedule and schedules"),
    "both schedules": SpecCase(NEWS | {"schedules": ["@daily"]}, "spec.schedule", "exactly one of"),
    "empty schedule": SpecCase(NEWS | {"schedule": ""}, "spec.schedule", "at least 1 chars"),
    "blank schedule": SpecCase(NEWS | {"schedule": "   "}, "spec.schedule", FORM),
    "schedule of a thousand characters": SpecCase(
        NEWS | {"schedule": "1," * 500}, "spec.schedule", "may not be more than 256"
    ),
    "schedule as number": SpecCase(NEWS | {"schedule": 5}, "spec.schedule", "must be of type string"),
    "schedule as list": SpecCase(NEWS | {"schedule": ["@daily"]}, "spec.schedule", "must be of type string"),
    "four fields": SpecCase(NEWS | {"schedule": "* * * *"}, "spec.schedule", FORM),
    "six fields": SpecCase(NEWS | {"schedule": "0 * * * * *"}, "spec.schedule", FORM),
    "unknown alias": SpecCase(NEWS | {"schedule": "@fortnightly"}, "spec.schedule", FORM),
    "prose": SpecCase(NEWS | {"schedule": "every five minutes"}, "spec.schedule", FORM),
    "prose of five words": SpecCase(NEWS | {"schedule": "at noon on every day"}, "spec.schedule", "minute: use 0-59"),
    "minute 60": SpecCase(NEWS | {"schedule": "60 * * * *"}, "spec.schedule", "minute: use 0-59"),
    "negative minute": SpecCase(NEWS | {"schedule": "-1 * * * *"}, "spec.schedule", "minute: use 0-59"),
    "hour 24": SpecCase(NEWS | {"schedule": "0 24 * * *"}, "spec.schedule", "hour: use 0-23"),
    "day 0": SpecCase(NEWS | {"schedule": "0 0 0 * *"}, "spec.schedule", "day of month: use 1-31"),
    "day 32": SpecCase(NEWS | {"schedule": "0 0 32 * *"}, "spec.schedule", "day of month: use 1-31"),
    "month 13": SpecCase(NEWS | {"schedule": "0 0 1 13 *"}, "spec.schedule", "month: use 1-12 or JAN-DEC"),
    "month of another language": SpecCase(NEWS | {"schedule": "0 0 1 MAI *"}, "spec.schedule", "month: use 1-12"),
    "weekday 8": SpecCase(NEWS | {"schedule": "0 0 * * 8"}, "spec.schedule", "weekday: use 0-7 or SUN-SAT"),
    "sixth Monday": SpecCase(NEWS | {"schedule": "0 0 * * 1#6"}, "spec.schedule", "weekday: use 0-7"),
    "step of zero": SpecCase(NEWS | {"schedule": "*/0 * * * *"}, "spec.schedule", "minute: use 0-59"),
    "step of a half": SpecCase(NEWS | {"schedule": "*/0.5 * * * *"}, "spec.schedule", "minute: use 0-59"),
    "open range": SpecCase(NEWS | {"schedule": "5- * * * *"}, "spec.schedule", "minute: use 0-59"),
    "list that ends in a comma": SpecCase(NEWS | {"schedule": "1,2, * * * *"}, "spec.schedule", "minute: use 0-59"),
    "digits of another script": SpecCase(NEWS | {"schedule": "٥ * * * *"}, "spec.schedule", "minute: use 0-59"),
    "interval without a number": SpecCase(NEWS | {"schedule": "@every m"}, "spec.schedule", FORM),
    "interval of an unknown unit": SpecCase(NEWS | {"schedule": "@every 2w"}, "spec.schedule", FORM),
    "negative interval": SpecCase(NEWS | {"schedule": "@every -5m"}, "spec.schedule", FORM),
    "interval of zero": SpecCase(
        NEWS | {"schedule": "@every 0s"}, "spec.schedule", "between 1 s and 366 days", only_scheduler=True
    ),
    "interval of two years": SpecCase(
        NEWS | {"schedule": "@every 800d"}, "spec.schedule", "between 1 s and", only_scheduler=True
    ),
    "range with swapped ends": SpecCase(
        NEWS | {"schedule": "9-5 * * * *"}, "spec.schedule", "Bad minute", only_scheduler=True
    ),
    "31 February": SpecCase(
        NEWS | {"schedule": "0 0 31 2 *"}, "spec.schedule", "31 February never comes", only_scheduler=True
    ),
    "empty list of schedules": SpecCase(
        without(NEWS, "schedule") | {"schedules": []}, "spec.schedules", "at least 1 items"
    ),
    "seventeen schedules": SpecCase(
        without(NEWS, "schedule") | {"schedules": [f"{n} 0 * * *" for n in range(17)]},
        "spec.schedules",
        "at most 16 items",
    ),
    "one bad schedule of two": SpecCase(
        without(NEWS, "schedule") | {"schedules": ["@daily", "61 * * * *"]}, "spec.schedules[1]", "minute: use 0-59"
    ),
    "schedules as text": SpecCase(
        without(NEWS, "schedule") | {"schedules": "@daily"}, "spec.schedules", "must be of type array"
    ),
    # time zone and calendar
    "unknown zone": SpecCase(NEWS | {"timeZone": "Mars/Olympus"}, "spec.timeZone", "unknown time zone Mars/Olympus"),
    "offset instead of a zone": SpecCase(NEWS | {"timeZone": "+02:00"}, "spec.timeZone", "write an IANA time zone"),
    "zone of the machine": SpecCase(NEWS | {"timeZone": "Local"}, "spec.timeZone", "write an IANA time zone"),
    "empty zone": SpecCase(NEWS | {"timeZone": ""}, "spec.timeZone", "at least 1 chars"),
    "zone with a path": SpecCase(NEWS | {"timeZone": "../etc/passwd"}, "spec.timeZone", "write an IANA time zone"),
    "unknown exchange": SpecCase(NEWS | {"calendar": "XMARS"}, "spec.calendar", "supported values"),
    "exchange in lower case": SpecCase(NEWS | {"calendar": "xnys"}, "spec.calendar", "supported values"),
    # task and queue
    "no task": SpecCase(without(NEWS, "task"), "spec.task", "Required value"),
    "empty task": SpecCase(OTHER | {"task": ""}, "spec.task", "should match"),
    "task with a space": SpecCase(OTHER | {"task": "my task"}, "spec.task", "should match"),
    "task of another script": SpecCase(OTHER | {"task": "ñandú"}, "spec.task", "should match"),
    "task of 201 characters": SpecCase(OTHER | {"task": "t" * 201}, "spec.task", "may not be more than 200"),
    "no queue": SpecCase(without(OTHER, "queue"), "spec.queue", "the catalog has fetch_crypto_prices_task"),
    "queue with a slash": SpecCase(OTHER | {"queue": "a/b"}, "spec.queue", "should match"),
    "queue of 64 characters": SpecCase(OTHER | {"queue": "q" * 64}, "spec.queue", "may not be more than 63"),
    # arguments
    "args as object": SpecCase(OTHER | {"args": {"a": 1}}, "spec.args", "unknown field"),
    "args as text": SpecCase(OTHER | {"args": "[1]"}, "spec.args", "must be of type array"),
    "65 args": SpecCase(OTHER | {"args": [1] * 65}, "spec.args", "at most 64 items"),
    "kwargs as list": SpecCase(OTHER | {"kwargs": [1]}, "spec.kwargs", "must be of type object"),
    "kwargs as text": SpecCase(OTHER | {"kwargs": "{}"}, "spec.kwargs", "must be of type object"),
    "65 kwargs": SpecCase(OTHER | {"kwargs": {f"k{n}": n for n in range(65)}}, "spec.kwargs", "at most 64"),
    "args of a task in the catalog": SpecCase(NEWS | {"args": [1]}, "spec.args", "keyword arguments only"),
    "argument of another task": SpecCase(NEWS | {"kwargs": {"symbols": ["A"]}}, "spec.kwargs", "takes: sources"),
    "argument of a task without arguments": SpecCase(
        {"task": "health_check_task", "schedule": "@hourly", "kwargs": {"x": 1}}, "spec.kwargs", "takes: none"
    ),
    "symbols as text": SpecCase(CRYPTO | {"kwargs": {"symbols": "BTC-USD"}}, "spec.kwargs.symbols", "a list of"),
    "symbols in lower case": SpecCase(
        CRYPTO | {"kwargs": {"symbols": ["btc"]}}, "spec.kwargs.symbols", "such as BTC-USD"
    ),
    "empty list of symbols": SpecCase(CRYPTO | {"kwargs": {"symbols": []}}, "spec.kwargs.symbols", "a list of 1 to"),
    "symbols as numbers": SpecCase(CRYPTO | {"kwargs": {"symbols": [1]}}, "spec.kwargs.symbols", "a list of"),
    "dry_run as text": SpecCase(
        {"task": "cleanup_old_cache_task", "schedule": "@daily", "kwargs": {"dry_run": "yes"}},
        "spec.kwargs.dry_run",
        "true or false",
    ),
    # limits
    "suspend as text": SpecCase(NEWS | {"suspend": "yes"}, "spec.suspend", "must be of type boolean"),
    "long reason": SpecCase(NEWS | {"suspendReason": "x" * 257}, "spec.suspendReason", "may not be more than 256"),
    "unknown policy": SpecCase(NEWS | {"concurrencyPolicy": "Queue"}, "spec.concurrencyPolicy", "supported values"),
    "policy in lower case": SpecCase(
        NEWS | {"concurrencyPolicy": "forbid"}, "spec.concurrencyPolicy", "supported values"
    ),
    "unknown catch-up": SpecCase(NEWS | {"catchUp": "Some"}, "spec.catchUp", "supported values"),
    "deadline of zero": SpecCase(NEWS | {"startingDeadlineSeconds": 0}, "spec.startingDeadlineSeconds", "equal to 1"),
    "deadline as text": SpecCase(
        NEWS | {"startingDeadlineSeconds": "60"}, "spec.startingDeadlineSeconds", "of type integer"
    ),
    "deadline of a year": SpecCase(
        NEWS | {"startingDeadlineSeconds": 31_536_000}, "spec.startingDeadlineSeconds", "less than or equal to 2592000"
    ),
    "half a second of jitter": SpecCase(NEWS | {"jitterSeconds": 0.5}, "spec.jitterSeconds", "must be of type integer"),
    "negative jitter": SpecCase(NEWS | {"jitterSeconds": -1}, "spec.jitterSeconds", "greater than or equal to 0"),
    "negative depth": SpecCase(NEWS | {"maxQueueDepth": -1}, "spec.maxQueueDepth", "greater than or equal to 0"),
    "a hundred and one retries": SpecCase(NEWS | {"retries": 101}, "spec.retries", "less than or equal to 100"),
    "time limit of zero": SpecCase(
        NEWS | {"timeLimitSeconds": 0}, "spec.timeLimitSeconds", "greater than or equal to 1"
    ),
    "time limit of two days": SpecCase(
        NEWS | {"timeLimitSeconds": 172_800}, "spec.timeLimitSeconds", "less than or equal to"
    ),
    "maxRuns of zero": SpecCase(NEWS | {"maxRuns": 0}, "spec.maxRuns", "greater than or equal to 1"),
    "huge number": SpecCase(NEWS | {"maxRuns": 10**30}, "spec.maxRuns", ""),
    "start without offset": SpecCase(NEWS | {"startTime": "2026-01-01T00:00:00"}, "spec.startTime", "date-time"),
    "start without a time": SpecCase(NEWS | {"startTime": "2026-01-01"}, "spec.startTime", "date-time"),
    "start as a number": SpecCase(NEWS | {"startTime": 1_767_225_600}, "spec.startTime", "in body must be"),
    "start in Unix seconds": SpecCase(NEWS | {"startTime": "1764579600"}, "spec.startTime", "date-time"),
    "start with a space": SpecCase(NEWS | {"startTime": "2026-12-01 09:00:00Z"}, "spec.startTime", "date-time"),
    "start without seconds": SpecCase(NEWS | {"startTime": "2026-12-01T09:00Z"}, "spec.startTime", "date-time"),
    "null task": SpecCase(NEWS | {"task": None}, "spec.task", "Required value"),
    "30 February": SpecCase(NEWS | {"endTime": "2026-02-30T00:00:00Z"}, "spec.endTime", "date-time"),
    "end before start": SpecCase(
        NEWS | {"startTime": "2026-01-02T00:00:00Z", "endTime": "2026-01-01T00:00:00Z"}, "spec.endTime", "swap them"
    ),
    # whole spec
    "unknown field": SpecCase(NEWS | {"cron": "* * * * *"}, "spec.cron", "unknown field"),
    "field in another case": SpecCase(NEWS | {"timezone": "UTC"}, "spec.timezone", "unknown field"),
    "spec as list": SpecCase([NEWS], "spec", "unknown field"),
    "spec as text": SpecCase("@hourly", "spec", "must be of type object"),
    "empty spec": SpecCase({}, "spec.task", "Required value"),
    # annotations
    "backfill that is not a range": SpecCase(
        NEWS, "metadata.annotations[financehub.io/backfill]", "is not a range", {"financehub.io/backfill": "yesterday"}
    ),
    "backfill without offset": SpecCase(
        NEWS,
        "metadata.annotations[financehub.io/backfill]",
        "is not a range",
        {"financehub.io/backfill": "2026-01-01T00:00:00/2026-01-02T00:00:00"},
    ),
    "backfill with swapped ends": SpecCase(
        NEWS,
        "metadata.annotations[financehub.io/backfill]",
        "swap them",
        {"financehub.io/backfill": "2026-01-02T00:00Z/2026-01-02T00:30:00+01:00"},
    ),
    "backfill with an invalid date": SpecCase(
        NEWS,
        "financehub.io/backfill",
        "is not a range",
        {"financehub.io/backfill": "2026-13-45T00:00:00Z/2026-13-46T00:00:00Z"},
        only_scheduler=True,
    ),
    "long trigger": SpecCase(
        NEWS, "metadata.annotations[financehub.io/trigger]", "longer than 256", {"financehub.io/trigger": "x" * 257}
    ),
    # names
    "name of another script": SpecCase(NEWS, "metadata.name", "RFC 1123", name="täglich"),
    "name in capitals": SpecCase(NEWS, "metadata.name", "RFC 1123", name="Daily"),
    "name of 254 characters": SpecCase(NEWS, "metadata.name", "no more than 253", name="n" * 254),
}

VALID: dict[str, SpecCase] = {
    "smallest spec": SpecCase(NEWS, ""),
    "spaces": SpecCase(NEWS | {"schedule": " 0\t 6 * *  mon-FRI "}, ""),
    "names and steps": SpecCase(NEWS | {"schedule": "*/7,1-5/2 9-17 L JAN,mar-dec 5L,1#2"}, ""),
    "last weekday": SpecCase(NEWS | {"schedule": "0 0 LW * *"}, ""),
    "leading zeros": SpecCase(NEWS | {"schedule": "007 09 01 012 00"}, ""),
    "Sunday twice": SpecCase(NEWS | {"schedule": "0 0 * * 0,7"}, ""),
    "long interval": SpecCase(NEWS | {"schedule": "@every 1d2h3m4s"}, ""),
    "several schedules": SpecCase(without(NEWS, "schedule") | {"schedules": ["@daily", "@every 90s", "0 0 1 1 *"]}, ""),
    "zone": SpecCase(NEWS | {"timeZone": "America/Argentina/Buenos_Aires"}, ""),
    "zone with a sign": SpecCase(NEWS | {"timeZone": "Etc/GMT+5"}, ""),
    "exchange": SpecCase(NEWS | {"calendar": "XNYS"}, ""),
    "task outside the catalog": SpecCase(
        OTHER | {"args": [1, "x", None, {"a": [True]}], "kwargs": {"deep": {"a": [{"b": None}]}}}, ""
    ),
    "unicode in arguments": SpecCase(OTHER | {"kwargs": {"ключ": "значение 🎉"}}, ""),
    "symbols": SpecCase(CRYPTO | {"kwargs": {"symbols": ["BTC-USD", "^GSPC", "VOD.L"]}}, ""),
    "null symbols": SpecCase(CRYPTO | {"kwargs": {"symbols": None}}, ""),
    "all limits": SpecCase(
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
    "nulls": SpecCase(
        NEWS | dict.fromkeys(("suspend", "queue", "args", "kwargs", "schedules", "catchUp", "endTime")), ""
    ),
    "whole numbers written as fractions": SpecCase(NEWS | {"retries": 1.0}, ""),
    "lower case in a time": SpecCase(NEWS | {"startTime": "2026-12-01t09:00:00z"}, ""),
    "times": SpecCase(NEWS | {"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T01:00:00.5+01:00"}, ""),
    "annotations": SpecCase(
        NEWS,
        "",
        "",
        {
            "financehub.io/trigger": "x" * 256,
            "financehub.io/backfill": "2026-01-01T00:00Z/2026-01-01T02:00:00.25+02:00",
            "example.com/note": "anything",
        },
    ),
    "longest name": SpecCase(NEWS, "", name="n" * 253),
}
