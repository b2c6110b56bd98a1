"""Finds the local hours that clocks skip or repeat, in every time zone.

It reads the time zone database of the installed package `tzdata` instead of the system's, so that the generated
manifests are the same everywhere.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

#: Years to check. Later rules are not known yet.
FIRST, LAST = 2026, 2030
_QUARTER = timedelta(minutes=15)


def _zone(name: str) -> ZoneInfo:
    with files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, name)


def _changes(zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """Yield the local times before and after each offset change."""
    at, end = datetime(FIRST, 1, 1, tzinfo=UTC), datetime(LAST + 1, 1, 1, tzinfo=UTC)
    offset = at.astimezone(zone).utcoffset()
    while at < end:
        later = at + timedelta(days=1)
        if later.astimezone(zone).utcoffset() != offset:
            while at.astimezone(zone).utcoffset() == offset:
                at += _QUARTER
            local = at.astimezone(zone).replace(tzinfo=None)
            before = (at.replace(tzinfo=None) + offset) if offset is not None else local
            yield before, local
            offset = at.astimezone(zone).utcoffset()
        else:
            at = later


def changing_hours() -> Mapping[tuple[int, ...], list[str]]:
    """Return hour → the time zones in which clocks skip or repeat part of that hour on any day."""
    found: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for name in sorted(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()):
        hours = set()
        for before, after in _changes(_zone(name)):
            local, end = min(before, after), max(before, after)
            while local < end:
                hours.add(local.hour)
                local += _QUARTER
        if hours:
            found[tuple(sorted(hours))].append(name)
    return dict(sorted(found.items()))
