"""Valid specs, which the API server, the folder source and the scheduler accept."""

from support.spec_case import CRYPTO, NEWS, OTHER, SpecCase, without

#: Every element of the grammar of schedules.
_TEXTS = (
    # fields
    *(
        "* * * * *",
        "0 6 * * *",
        " 0\t 6 * *  mon-FRI ",
        "007 09 01 012 00",
        "0 0 * * 0,7",
        "0 0 1 1 *",
        "59 23 31 12 6",
    ),
    *(
        "0 0 1,15 * *",
        "0,30 9-17 * * *",
        "*/7,1-5/2 9-17 L JAN,mar-dec 5L,1#2",
        "*/15 */2 * */3 *",
        "5/10 3/6 2/3 4/5 1/2",
    ),
    *(
        "*/1 * * * *",
        "*/59 * * * *",
        "*/60 * * * *",
        "*/1000 * * * *",
        "5-5 5-5 5-5 5-5 5-5",
        "0 0 * * 5-5/2",
        "* * *,5 * *",
    ),
    *(
        "0 0 1-31 * *",
        "0 0 */2 * *",
        "0 0 */2 * MON",
        "0 0 * */2 */2",
        "*,5 * * * *",
        "0 0 1-7 * MON",
        f"{'0' * 100}5 0 * * *",
    ),
    # wrapping ranges
    *(
        "0 22-6 * * *",
        "0 22-6/2 * * *",
        "55-5 * * * *",
        "50-10/5 * * * *",
        "0 0 28-3 * *",
        "0 0 31-1 * *",
        "0 0 25-5/2 * *",
    ),
    *(
        "0 0 * NOV-FEB *",
        "0 0 * 11-2/2 *",
        "0 0 * * FRI-MON",
        "0 0 * * 5-1",
        "0 0 * * SAT-SUN",
        "0 0 * * 6-7",
        "0 0 * * 7-2",
    ),
    *("0 0 * * SUN-SAT", "0 0 * * 0-7", "0 0 * * THU-TUE/2", "0 23-0 * * *"),
    # days of the month and weekdays with letters
    *(
        "0 0 L * *",
        "0 0 l * *",
        "0 0 LW * *",
        "0 0 L-1 * *",
        "0 0 L-30 * *",
        "0 0 L-07 * *",
        "0 0 L-3W * *",
        "0 0 15W * *",
    ),
    *("0 0 1W * *", "0 0 31W * *", "0 0 1,15W,L * *", "0 0 * * FRI#2", "0 0 * * 5#5", "0 0 * * 0#1,7#3", "0 0 * * 5L"),
    *("0 0 * * FRIL", "0 0 * * fril,1L", "0 0 15W * MON", "0 0 L * FRI#2", "0 0 1 * FRIL"),
    # days that exist in some of their months
    *("0 0 29 2 *", "0 0 31 2,3 *", "0 0 29,30 2 *", "0 0 31 4-7 *", "0 0 31 2 MON", "0 0 L-28 2 *", "0 0 28-1 2 *"),
    *(
        "0 0 30-1/2 2 *",
        "0 0 31 11-1/2 *",
        "0 0 30 FEB-APR/2 *",
        "0 0 29W 2 *",
        "0 0 31 2/10 *",
        "0 0 31-1 4 *",
        "0 0 31 2 5L",
    ),
    # aliases
    *("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually", "  @daily\n"),
    # intervals
    *("@every 1s", "@every 90s", "@every 1d2h3m4s", "@every 1h30m", "@every 366d", "@every 8784h", "@every 31622400s"),
    *(
        "@every   5m ",
        "@every 007m",
        f"@every {'0' * 100}7m",
        "@every 0d5m",
        "@every 1h offset 7m",
        "@every 1h offset 0s",
    ),
    *("@every 1h offset 59m59s", "@every 2s offset 1s", "@every 1d offset 9h30m", "@every 1h\toffset\t7m"),
)
#: Expressions with seconds.
_SECONDS = ("*/10 * * * * *", "0 0 6 * * MON-FRI", "50-10/20 * * * * *", "0,30 * 9-17 * * FRI-MON", "30 0 0 L-2 * *")
#: Days under dayMatch All.
_ALL = (
    "0 9 1-7 * MON",
    "0 9 13 * FRI",
    "0 9 L * MON-FRI",
    "0 9 L-3 * 5",
    "0 9 29 2 MON",
    "0 9 31 * *",
    "0 9 * * 1",
    "@daily",
)
_DATES = (
    *("2026-12-24", "12-25", "02-29", "2028-02-29", "2000-02-29", "2026-12-24/2027-01-02", "2026-12-24/2026-12-24"),
    *("1000-01-01", "2999-12-31", "2024-02-29/2028-02-29", "01-31", "04-30"),
)

VALID: dict[str, SpecCase] = {
    **{f"schedule {text[:40]!r}": SpecCase(OTHER | {"schedule": text}) for text in _TEXTS},
    **{f"seconds {text!r}": SpecCase(OTHER | {"schedule": text}) for text in _SECONDS},
    **{f"dayMatch All {text!r}": SpecCase(NEWS | {"schedule": text, "dayMatch": "All"}) for text in _ALL},
    **{f"excluded date {text!r}": SpecCase(NEWS | {"exclude": [{"dates": [text]}]}) for text in _DATES},
    "seconds on the queue high": SpecCase(NEWS | {"schedule": _SECONDS[0], "queue": "high"}),
    "seconds on the queue high by default": SpecCase(CRYPTO | {"schedule": _SECONDS[0]}),
    "all texts in lists": SpecCase(without(OTHER, "schedule") | {"schedules": list(_TEXTS[:16])}),
    "dayMatch Any": SpecCase(NEWS | {"dayMatch": "Any", "schedule": "0 9 1-7 * MON#1"}),
    "exclusion with all fields": SpecCase(
        NEWS
        | {
            "exclude": [
                {"weekdays": ["SAT", "SUN"], "from": "22:00", "to": "06:00", "dates": ["12-24"], "holidays": "XNYS"}
            ]
        }
    ),
    "exclusions of each field": SpecCase(
        NEWS
        | {
            "exclude": [
                {"weekdays": ["MON", "TUE", "WED", "THU", "FRI", "SAT"]},
                {"from": "00:00", "to": "23:59"},
                {"from": "23:59", "to": "00:00"},
                {"dates": ["12-25"] * 100},
                {"holidays": "XKRX"},
            ]
        }
    ),
    "no exclusions": SpecCase(NEWS | {"exclude": []}),
    "sixteen exclusions": SpecCase(NEWS | {"exclude": [{"weekdays": ["SAT"]}] * 16}),
    **{
        f"calendar {name}": SpecCase(NEWS | {"calendar": name})
        for name in ("XNYS", "XKRX", "XSHG", "XBOM", "XSES", "FX")
    },
    "opening of an exchange": SpecCase(NEWS | {"schedule": "@open", "calendar": "XNYS"}),
    "closing of an exchange": SpecCase(
        NEWS | {"schedule": " @close ", "calendar": "XNYS", "calendarOffsetSeconds": 900, "dayMatch": "All"}
    ),
    "opening and closing": SpecCase(
        without(NEWS, "schedule")
        | {"schedules": ["@open", "@close"], "calendar": "FX", "calendarOffsetSeconds": -86_400}
    ),
    "after another one": SpecCase(without(NEWS, "schedule") | {"after": "fetch-prices"}),
    "after another one with limits": SpecCase(
        without(NEWS, "schedule")
        | {"after": "a.b-c", "calendar": "XNYS", "exclude": [{"weekdays": ["SAT"]}], "maxRuns": 3, "jitterSeconds": 5}
    ),
    "BufferAll": SpecCase(NEWS | {"concurrencyPolicy": "BufferAll", "startingDeadlineSeconds": 1}),
    "pause after one failure": SpecCase(NEWS | {"pauseAfterFailures": 1}),
    "pause after a thousand failures": SpecCase(NEWS | {"pauseAfterFailures": 1_000}),
    "smallest spec": SpecCase(NEWS),
    "several schedules": SpecCase(without(NEWS, "schedule") | {"schedules": ["@daily", "@every 90s", "0 0 1 1 *"]}, ""),
    "zone": SpecCase(NEWS | {"timeZone": "America/Argentina/Buenos_Aires"}),
    "zone with a sign": SpecCase(NEWS | {"timeZone": "Etc/GMT+5"}, ""),
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
        NEWS
        | dict.fromkeys(("suspend", "queue", "args", "kwargs", "schedules", "catchUp", "endTime", "exclude", "after")),
        "",
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
    "nulls in an exclusion": SpecCase(NEWS | {"exclude": [{"weekdays": ["SAT"], "from": None, "to": None}]}, ""),
}
