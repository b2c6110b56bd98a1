"""Compares the computation of the next due time with cronsim, for ordinary cron expressions in UTC and in zones.

Both compute the same due times one after the other. cronsim is used as it is fastest: one iterator per expression,
which parses it once. The two alternate within one run, and the CPU time of the fastest round counts, so that a busy
machine changes the ratio as little as possible. For `* * * * *`, both take the same time; the rarer the due times are,
the larger the difference is.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim

from bench.rows import Row
from financehub_shared.recurrence.recurrence import Recurrence
from financehub_shared.recurrence.rules import parse_rule

EXPRESSIONS = (
    *("* * * * *", "*/15 9-17 * * MON-FRI", "0 * * * *", "30 2 * * *", "0 9 1 * *", "0 0 29 2 *"),
    *("5,35 8-18/2 * * *", "0 18 L * *", "0 9 * * FRI#2", "15 6 1,15 * MON"),
)
ZONES = ("UTC", "Europe/Berlin", "America/New_York")
#: Due times of each expression in each zone and round. The rarest expression has 30 of them in 120 years.
COUNT = 30
ROUNDS = 5
#: Largest share of the time of cronsim that meets the goal. It was 0.15 when this was written.
SHARE = 0.33
_BEGIN = datetime(2026, 1, 1, 12, 7, tzinfo=UTC)


def run() -> list[Row]:
    """Measure UTC and the other zones apart, because only the latter have clock changes."""
    rows = []
    for name, zones in (("utc", ZONES[:1]), ("zones", ZONES[1:])):
        own, peer = _fastest(lambda zones=zones: _own(zones), lambda zones=zones: _cronsim(zones))
        us = 1_000_000 / (len(zones) * len(EXPRESSIONS) * COUNT)
        goal = f"<= {SHARE} x cronsim"
        rows.append(
            Row(f"recurrence.next_after.{name}", own * us, "CPU µs", "cronsim", peer * us, goal, own <= SHARE * peer)
        )
    return rows


def _fastest(*measured: Callable[[], int]) -> list[float]:
    """Return the CPU seconds of the fastest round of each function, after a round that fills their caches."""
    results = {function() for function in measured}
    assert len(results) == 1, "the due times differ"
    seconds = [float("inf")] * len(measured)
    for _ in range(ROUNDS):
        for number, function in enumerate(measured):
            started = time.process_time()
            function()
            seconds[number] = min(seconds[number], time.process_time() - started)
    return seconds


def _own(zones: tuple[str, ...]) -> int:
    total = 0
    for zone in zones:
        for expression in EXPRESSIONS:
            recurrence = Recurrence((parse_rule(expression, ZoneInfo(zone)),))
            due: int | None = int(_BEGIN.timestamp())
            for _ in range(COUNT):
                assert due is not None
                due = recurrence.next_after(due)
                total += due or 0
    return total


def _cronsim(zones: tuple[str, ...]) -> int:
    total = 0
    for zone in zones:
        # cronsim skips its work for clock changes only for this object.
        place: tzinfo = UTC if zone == "UTC" else ZoneInfo(zone)
        for expression in EXPRESSIONS:
            due_times = islice(CronSim(expression, _BEGIN.astimezone(place)), COUNT)
            total += sum(int(due.timestamp()) for due in due_times)
    return total
