"""Legal but suspicious specs, each with a part of the warning of the API server and of the scheduler."""

from typing import Any

from support.spec_case import CRYPTO, NEWS, OTHER, without

#: A task whose runs may take 90 s.
SLOW = {"task": "fetch_crypto_prices_task", "startingDeadlineSeconds": 60, "concurrencyPolicy": "Allow"}
_OVERLAP = "spec.concurrencyPolicy: Allow, and a run may take 90 s, longer than the time to the next run; slow runs"
_DEADLINE = "spec.startingDeadlineSeconds: is not set; after an outage, late runs fetch prices"
_NOT_ALL = "write dayMatch: Any if this is intended, or * in one of the two fields"
_NO_EFFECT = "spec.dayMatch: All has no effect, because no line restricts both the day of month and the weekday"
_LONG_STEP = "has a step that is longer than its field, so only the first value of the field matches; for an interval"

SUSPICIOUS: tuple[tuple[dict[str, Any], str], ...] = (
    (SLOW | {"schedule": "@every 30s"}, _OVERLAP),
    (SLOW | {"schedule": "@every 1m29s"}, _OVERLAP),
    (SLOW | {"schedule": "@every 1m offset 5s"}, _OVERLAP),
    (SLOW | {"schedule": "* * * * *"}, _OVERLAP),
    (SLOW | {"schedule": "*/1 * * * *"}, _OVERLAP),
    (SLOW | {"schedule": "*/30 * * * * *"}, _OVERLAP),
    (SLOW | {"schedule": "* * * * * *"}, _OVERLAP),
    (SLOW | {"schedules": ["@daily", "@every 1m"]}, _OVERLAP),
    (SLOW | {"schedule": "*/2 * * * *", "timeLimitSeconds": 121}, "a run may take 121 s, longer than the time to"),
    ({"task": "fetch_stock_prices_task", "schedule": "@hourly"}, _DEADLINE),
    ({"task": "fetch_crypto_prices_task", "schedule": "@hourly"}, _DEADLINE),
    (NEWS | {"catchUp": "All"}, "spec.catchUp: All under concurrencyPolicy Forbid: most of the runs that catch up"),
    (
        NEWS | {"catchUp": "All", "concurrencyPolicy": "BufferOne"},
        "under concurrencyPolicy BufferOne: most of the runs",
    ),
    (NEWS | {"schedule": "0 9 13 * FRI"}, "spec.schedule: '0 9 13 * FRI' is due on its days of the month and also on"),
    (CRYPTO | {"schedule": "0 0 9 1-7 * MON"}, "write dayMatch: All if both must match, or dayMatch: Any if"),
    (NEWS | {"schedule": "0 9 15W * MON#2"}, "'0 9 15W * MON#2' is due on its days of the month and also on its week"),
    (without(NEWS, "schedule") | {"schedules": ["@daily", "0 0 L * 5L"]}, "'0 0 L * 5L' is due on its days of the"),
    (NEWS | {"schedule": "0 9 13 * FRI#2"}, _NOT_ALL),
    (NEWS | {"schedule": "0 9 LW * FRI"}, _NOT_ALL),
    (NEWS | {"schedule": "0 9 1 * FRIL"}, _NOT_ALL),
    (NEWS | {"schedule": "0 9 31 2 FRI"}, _NOT_ALL),
    (without(NEWS, "schedule") | {"schedules": ["0 9 1 * MON", "0 9 * * FRI#2"]}, _NOT_ALL),
    (NEWS | {"schedule": "@every 1h", "dayMatch": "All"}, _NO_EFFECT),
    (NEWS | {"schedule": "@daily", "dayMatch": "All"}, _NO_EFFECT),
    (NEWS | {"schedule": "@open", "calendar": "XNYS", "dayMatch": "All"}, _NO_EFFECT),
    (NEWS | {"schedule": "0 9 13 * *", "dayMatch": "All"}, _NO_EFFECT),
    (NEWS | {"schedule": "0 9 */2 * MON", "dayMatch": "All"}, _NO_EFFECT),
    (NEWS | {"schedule": "0 9 1-30 * MON"}, "'0 9 1-30 * MON' is due on its days of the month and also on its week"),
    (without(NEWS, "schedule") | {"schedules": ["@daily", "0 9 * * MON"], "dayMatch": "All"}, _NO_EFFECT),
    (without(NEWS, "schedule") | {"after": "fetch-prices", "dayMatch": "All"}, _NO_EFFECT),
    (NEWS | {"schedule": "*/90 * * * *"}, _LONG_STEP),
    (NEWS | {"schedule": "0 9 */40 * *"}, "'0 9 */40 * *' has a step that is longer than its field, so only the first"),
    (NEWS | {"schedule": "0 0,6/36 * * *"}, _LONG_STEP),
    (CRYPTO | {"schedule": "*/060 * * * * *"}, _LONG_STEP),
    (NEWS | {"schedule": "@every 5s"}, "spec.schedule: '@every 5s' runs more than once a minute on the queue medium"),
    (NEWS | {"schedule": "@every 59s offset 5s", "queue": "low"}, "on the queue low, where it delays slow tasks; use"),
)
NORMAL: tuple[dict[str, Any], ...] = (
    SLOW | {"schedule": "@every 90s"},
    SLOW | {"schedule": "@every 2d"},
    SLOW | {"schedule": "@every 90s offset 5s"},
    SLOW | {"schedule": "*/2 * * * *"},
    SLOW | {"schedule": "@hourly"},
    CRYPTO | {"schedule": "@every 30s"},
    CRYPTO | {"schedule": "*/10 * * * * *"},
    NEWS | {"schedule": "@every 1m"},
    NEWS | {"catchUp": "All", "concurrencyPolicy": "Allow"},
    NEWS | {"catchUp": "All", "concurrencyPolicy": "BufferAll"},
    NEWS | {"concurrencyPolicy": "BufferAll", "startingDeadlineSeconds": 1},
    NEWS | {"schedule": "0 9 1-7 * MON", "dayMatch": "All"},
    NEWS | {"schedule": "0 9 13 * FRI", "dayMatch": "Any"},
    NEWS | {"schedule": "0 9 13 * FRI#2", "dayMatch": "Any"},
    NEWS | {"schedule": "@every 1h", "dayMatch": "Any"},
    without(NEWS, "schedule") | {"schedules": ["0 9 1-7 * MON", "@daily"], "dayMatch": "All"},
    NEWS | {"schedule": "0 */23 */30 */11 *"},
    NEWS | {"schedule": "*/59 */23 * * */6"},
    NEWS | {"schedule": "0 9 */2 * MON"},
    NEWS | {"schedule": "0 9 1-31 * MON"},
    NEWS | {"schedule": "0 9 1-31 * MON", "dayMatch": "All"},
    NEWS | {"schedule": "0 9 1,15 * 0-7"},
    NEWS | {"schedule": "0 9 13 * sun-sat"},
    NEWS | {"schedule": "0 9 13 * *"},
    NEWS | {"schedule": "@close", "calendar": "XNYS"},
    without(NEWS, "schedule") | {"after": "fetch-prices"},
    OTHER | {"queue": "high", "schedule": "* * * * * *"},
)
