"""Invalid specs for the checks by the API server, the folder source and the scheduler."""

from support.invalid_fields import INVALID_FIELDS
from support.invalid_schedules import INVALID_SCHEDULES
from support.spec_case import CRYPTO, NEWS, OTHER, SpecCase, without

#: Specs that the schema of the CRD refuses: types, lengths, ranges and names. The words are those of the API server.
_SCHEMA: dict[str, SpecCase] = {
    # schedule
    "empty schedule": SpecCase(NEWS | {"schedule": ""}, "spec.schedule", "at least 1 chars"),
    "schedule of a thousand characters": SpecCase(
        NEWS | {"schedule": "1," * 500}, "spec.schedule", "may not be more than 256"
    ),
    "schedule of 257 spaces and characters": SpecCase(
        NEWS | {"schedule": " " * 250 + "@hourly"}, "spec.schedule", "may not be more than 256"
    ),
    "schedule as number": SpecCase(NEWS | {"schedule": 5}, "spec.schedule", "must be of type string"),
    "schedule as list": SpecCase(NEWS | {"schedule": ["@daily"]}, "spec.schedule", "must be of type string"),
    "empty list of schedules": SpecCase(
        without(NEWS, "schedule") | {"schedules": []}, "spec.schedules", "at least 1 items"
    ),
    "seventeen schedules": SpecCase(
        without(NEWS, "schedule") | {"schedules": [f"{n} 0 * * *" for n in range(17)]},
        "spec.schedules",
        "at most 16 items",
    ),
    "schedules as text": SpecCase(
        without(NEWS, "schedule") | {"schedules": "@daily"}, "spec.schedules", "must be of type array"
    ),
    "number in a list of schedules": SpecCase(
        without(NEWS, "schedule") | {"schedules": [5]}, "spec.schedules[0]", "must be of type string"
    ),
    # time zone and calendar
    "empty zone": SpecCase(NEWS | {"timeZone": ""}, "spec.timeZone", "at least 1 chars"),
    "unknown exchange": SpecCase(NEWS | {"calendar": "XMARS"}, "spec.calendar", "supported values"),
    "exchange in lower case": SpecCase(NEWS | {"calendar": "xnys"}, "spec.calendar", "supported values"),
    # task and queue
    "no task": SpecCase(without(NEWS, "task"), "spec.task", "Required value"),
    "empty task": SpecCase(OTHER | {"task": ""}, "spec.task", "should match"),
    "task with a space": SpecCase(OTHER | {"task": "my task"}, "spec.task", "should match"),
    "task of another script": SpecCase(OTHER | {"task": "ñandú"}, "spec.task", "should match"),
    "task of 201 characters": SpecCase(OTHER | {"task": "t" * 201}, "spec.task", "may not be more than 200"),
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
    # fields for recurrences
    "dayMatch in lower case": SpecCase(NEWS | {"dayMatch": "all"}, "spec.dayMatch", "supported values"),
    "dayMatch of another word": SpecCase(NEWS | {"dayMatch": "And"}, "spec.dayMatch", "supported values"),
    "dayMatch as boolean": SpecCase(NEWS | {"dayMatch": True}, "spec.dayMatch", "must be of type string"),
    "exclude as object": SpecCase(NEWS | {"exclude": {"weekdays": ["SAT"]}}, "spec.exclude", "unknown field"),
    "exclude as text": SpecCase(NEWS | {"exclude": "SAT"}, "spec.exclude", "must be of type array"),
    "exclusion as text": SpecCase(NEWS | {"exclude": ["SAT"]}, "spec.exclude[0]", "must be of type object"),
    "17 exclusions": SpecCase(NEWS | {"exclude": [{"weekdays": ["SAT"]}] * 17}, "spec.exclude", "at most 16 items"),
    "unknown field of an exclusion": SpecCase(
        NEWS | {"exclude": [{"weekday": ["SAT"]}]}, "spec.exclude[0].weekday", "unknown field"
    ),
    "no weekdays": SpecCase(NEWS | {"exclude": [{"weekdays": []}]}, "spec.exclude[0].weekdays", "at least 1 items"),
    "eight weekdays": SpecCase(
        NEWS | {"exclude": [{"weekdays": ["SAT"] * 8}]}, "spec.exclude[0].weekdays", "at most 7 items"
    ),
    "weekday in lower case": SpecCase(
        NEWS | {"exclude": [{"weekdays": ["sat"]}]}, "spec.exclude[0].weekdays[0]", "supported values"
    ),
    "weekday written out": SpecCase(
        NEWS | {"exclude": [{"weekdays": ["Saturday"]}]}, "spec.exclude[0].weekdays[0]", "supported values"
    ),
    "weekday as number": SpecCase(
        NEWS | {"exclude": [{"weekdays": [6]}]}, "spec.exclude[0].weekdays[0]", "must be of type string"
    ),
    "weekdays as text": SpecCase(
        NEWS | {"exclude": [{"weekdays": "SAT"}]}, "spec.exclude[0].weekdays", "must be of type array"
    ),
    "from as number": SpecCase(
        NEWS | {"exclude": [{"from": 1320, "to": "06:00"}]}, "spec.exclude[0].from", "must be of type string"
    ),
    "to with seconds": SpecCase(
        NEWS | {"exclude": [{"from": "22:00", "to": "06:00:00"}]}, "spec.exclude[0].to", "may not be more than 5"
    ),
    "no dates": SpecCase(NEWS | {"exclude": [{"dates": []}]}, "spec.exclude[0].dates", "at least 1 items"),
    "101 dates": SpecCase(
        NEWS | {"exclude": [{"dates": ["12-25"] * 101}]}, "spec.exclude[0].dates", "at most 100 items"
    ),
    "dates as text": SpecCase(
        NEWS | {"exclude": [{"dates": "12-25"}]}, "spec.exclude[0].dates", "must be of type array"
    ),
    "date as number": SpecCase(
        NEWS | {"exclude": [{"dates": [20261224]}]}, "spec.exclude[0].dates[0]", "must be of type string"
    ),
    "range of three dates": SpecCase(
        NEWS | {"exclude": [{"dates": ["2026-01-01/2026-01-02/2026-01-03"]}]},
        "spec.exclude[0].dates[0]",
        "may not be more than 21",
    ),
    "holidays of an unknown exchange": SpecCase(
        NEWS | {"exclude": [{"holidays": "XMARS"}]}, "spec.exclude[0].holidays", "supported values"
    ),
    "holidays of a country": SpecCase(
        NEWS | {"exclude": [{"holidays": "US"}]}, "spec.exclude[0].holidays", "supported values"
    ),
    "holidays of the currency market": SpecCase(
        NEWS | {"exclude": [{"holidays": "FX"}]}, "spec.exclude[0].holidays", "supported values"
    ),
    "holidays as list": SpecCase(
        NEWS | {"exclude": [{"holidays": ["XNYS"]}]}, "spec.exclude[0].holidays", "must be of type string"
    ),
    "offset as text": SpecCase(
        NEWS | {"calendar": "XNYS", "calendarOffsetSeconds": "15m"}, "spec.calendarOffsetSeconds", "of type integer"
    ),
    "offset of two days": SpecCase(
        NEWS | {"calendar": "XNYS", "calendarOffsetSeconds": 172_800},
        "spec.calendarOffsetSeconds",
        "less than or equal to 86400",
    ),
    "offset of minus two days": SpecCase(
        NEWS | {"calendar": "XNYS", "calendarOffsetSeconds": -172_800},
        "spec.calendarOffsetSeconds",
        "greater than or equal to -86400",
    ),
    "currency market in lower case": SpecCase(NEWS | {"calendar": "fx"}, "spec.calendar", "supported values"),
    # after
    "empty after": SpecCase(without(NEWS, "schedule") | {"after": ""}, "spec.after", "should match"),
    "after in capitals": SpecCase(without(NEWS, "schedule") | {"after": "Prices"}, "spec.after", "should match"),
    "after in another namespace": SpecCase(without(NEWS, "schedule") | {"after": "a/b"}, "spec.after", "should match"),
    "after with an underscore": SpecCase(without(NEWS, "schedule") | {"after": "a_b"}, "spec.after", "should match"),
    "after as list": SpecCase(without(NEWS, "schedule") | {"after": ["a"]}, "spec.after", "must be of type string"),
    "after of 254 characters": SpecCase(
        without(NEWS, "schedule") | {"after": "n" * 254}, "spec.after", "may not be more than 253"
    ),
    # pauseAfterFailures
    "pause after no failure": SpecCase(
        NEWS | {"pauseAfterFailures": 0}, "spec.pauseAfterFailures", "greater than or equal to 1"
    ),
    "pause after a negative number": SpecCase(
        NEWS | {"pauseAfterFailures": -1}, "spec.pauseAfterFailures", "greater than or equal to 1"
    ),
    "pause after 1,001 failures": SpecCase(
        NEWS | {"pauseAfterFailures": 1_001}, "spec.pauseAfterFailures", "less than or equal to 1000"
    ),
    "pause after half a failure": SpecCase(
        NEWS | {"pauseAfterFailures": 0.5}, "spec.pauseAfterFailures", "must be of type integer"
    ),
    "pause as text": SpecCase(NEWS | {"pauseAfterFailures": "3"}, "spec.pauseAfterFailures", "must be of type integer"),
    "pause as boolean": SpecCase(
        NEWS | {"pauseAfterFailures": True}, "spec.pauseAfterFailures", "must be of type integer"
    ),
    "policy of a misspelled buffer": SpecCase(
        NEWS | {"concurrencyPolicy": "BufferMany"}, "spec.concurrencyPolicy", "supported values"
    ),
    # whole spec
    "unknown field": SpecCase(NEWS | {"cron": "* * * * *"}, "spec.cron", "unknown field"),
    "field in another case": SpecCase(NEWS | {"timezone": "UTC"}, "spec.timezone", "unknown field"),
    "spec as list": SpecCase([NEWS], "spec", "unknown field"),
    "spec as text": SpecCase("@hourly", "spec", "must be of type object"),
    "empty spec": SpecCase({}, "spec.task", "Required value"),
    # names
    "name of another script": SpecCase(NEWS, "metadata.name", "RFC 1123", name="täglich"),
    "name in capitals": SpecCase(NEWS, "metadata.name", "RFC 1123", name="Daily"),
    "name of 254 characters": SpecCase(NEWS, "metadata.name", "no more than 253", name="n" * 254),
}

INVALID: dict[str, SpecCase] = INVALID_SCHEDULES | INVALID_FIELDS | _SCHEMA
