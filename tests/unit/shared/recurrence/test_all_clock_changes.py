"""Due times around every clock change of every time zone from 1985 to 2041, against brute force over minutes.

The oracle shares no code with the engine: it reads the local time of each minute from the standard library. Rules and
instants are drawn from a seed that depends on the zone, so a failure can be repeated.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from random import Random
from zoneinfo import ZoneInfo

import pytest

from financehub_shared.recurrence.rules import parse_rule

_BEGIN, _END = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (1985, 2042))
_DAY_MINUTES, _PROBE = 1_440, 2 * 86_400
#: Minutes on each side of a change that are compared, in addition to those that the clock skips or repeats.
_SIDE = 150
_GROUPS = 8


def _distinct(names: Iterable[str]) -> list[str]:
    """Return one name of each set of names with the same data, such as US/Eastern and America/New_York."""
    found: dict[bytes, str] = {}
    for name in names:
        found.setdefault(files("tzdata.zoneinfo").joinpath(*name.split("/")).read_bytes(), name)
    return sorted(found.values())


_ZONES = _distinct(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def _offset(at: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def _changes(zone: ZoneInfo) -> list[int]:
    """Return the first minute with the new offset of each change; they are more than two days apart."""
    found = []
    before = _offset(_BEGIN, zone)
    for at in range(_BEGIN + _PROBE, _END, _PROBE):
        after = _offset(at, zone)
        if after != before:
            low, high = (at - _PROBE) // 60, at // 60
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if _offset(middle * 60, zone) == after else (middle, high)
            found.append(high)
        before = after
    return found


def _rule(random: Random, near: int) -> tuple[str, frozenset[int], frozenset[int]]:
    """Return the text of a rule that is due near a change, its hours and its minutes.

    Args:
        random: The source of randomness.
        near: Minute of the day at which the clock changes.
    """
    hour = (near // 60 + random.choice((-1, 0, 0, 1))) % 24
    later, minute, other, step = (hour + 2) % 24, *random.sample(range(60), 2), random.choice((5, 7, 20, 30))
    every, everything = random.choice((2, 3, 4, 6)), frozenset(range(60))
    steps, hours = frozenset(range(0, 60, step)), frozenset(range(24))
    return random.choice(
        (
            (f"{minute} {hour} * * *", frozenset({hour}), frozenset({minute})),
            (
                f"{minute},{other} {hour}-{later} * * *",
                frozenset({hour, (hour + 1) % 24, later}),
                frozenset({minute, other}),
            ),
            (f"0-59/{step} {hour} * * *", frozenset({hour}), steps),
            (f"*/{step} {hour} * * *", frozenset({hour}), steps),
            (f"{minute} */{every} * * *", frozenset(range(0, 24, every)), frozenset({minute})),
            (f"{minute} * * * *", hours, frozenset({minute})),
            (f"* {hour} * * *", frozenset({hour}), everything),
        )
    )


def _expected(local: Sequence[int], first: int, rule: tuple[str, frozenset[int], frozenset[int]]) -> list[int]:
    """Return the due minutes of a rule by its definition.

    Args:
        local: The local minute that the clock shows at each minute, beginning with the minute `first`.
        first: A minute since 1970.
        rule: Its text, its hours and its minutes.
    """
    text, hours, minutes = rule
    table = [minute // 60 in hours and minute % 60 in minutes for minute in range(_DAY_MINUTES)]
    if "*" in "".join(text.split()[:2]):
        return [first + place for place, minute in enumerate(local) if table[minute % _DAY_MINUTES]]
    passes: dict[int, int] = {}
    for place, minute in enumerate(local):
        passes.setdefault(minute, first + place)
    due = set()
    for minute in range(min(local), max(local) + 1):
        if table[minute % _DAY_MINUTES]:
            # A skipped minute is due when the clock first shows a later one.
            due.add(passes[minute] if minute in passes else min(at for shown, at in passes.items() if shown > minute))
    return sorted(due)


@pytest.mark.parametrize("group", range(_GROUPS))
def test_due_times_around_all_clock_changes_equal_brute_force_from_random_instants(group: int) -> None:
    """For each zone and change, the next due time from random instants is the first one of the brute-force list."""
    compared = 0
    for name in _ZONES[group::_GROUPS]:
        zone, random = ZoneInfo(name), Random(name)
        for change in _changes(zone):
            before, after = (_offset(at * 60, zone) // 60 for at in (change - 1, change))
            # Every local minute near the range has its first pass within this distance.
            side = _SIDE + abs(after - before)
            first, last = change - side, change + side
            assert [_offset(at * 60, zone) // 60 for at in (first, last)] == [before, after], "one change in the range"
            local = [at + (before if at < change else after) for at in range(first, last)]
            rule = _rule(random, (change - 1 + before) % _DAY_MINUTES)
            due, parsed = _expected(local, first, rule), parse_rule(rule[0], zone)
            instants = [change * 60 - 1, *(random.randrange((change - 90) * 60, (change + 90) * 60) for _ in range(3))]
            for instant in instants:
                expected = next((at * 60 for at in due if at * 60 > instant), None)
                found = parsed.next_after(instant)
                is_equal = found == expected if expected is not None else found is not None and found >= last * 60
                assert is_equal, f"{rule[0]!r} in {name} after {datetime.fromtimestamp(instant, UTC)}: {found}"
                compared += 1
    assert compared > 3_000
