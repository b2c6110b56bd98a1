# ruff: noqa: INP001 — a script, not a package
"""`make calendars`: generates calendars.json from exchange_calendars.

Processes that compute due times read this file, because exchange_calendars takes 113 MB of memory.

Usage: make_calendars.py [FIRST LAST], the first and last date to include. The default is from January 1 of last year to
the end of the fifth year from now. An exchange that announces its holidays later ends earlier.
"""

import json
import sys
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import exchange_calendars
import pandas as pd

EXCHANGES = (
    *("XNYS", "XNAS", "XTSE"),
    *("XLON", "XETR", "XPAR", "XAMS", "XBRU", "XLIS", "XMIL", "XMAD", "XSWX", "XSTO"),
    *("XTKS", "XHKG", "XASX", "XKRX", "XSHG", "XBOM", "XSES"),
)
#: The trading week of currencies, which has no holidays: New York defines its beginning and its end.
FX = {"zone": "America/New_York", "week": {"sunday": "17:00", "friday": "17:00"}, "holidays": []}
TARGET = Path(__file__).parents[3] / "shared/src/financehub_shared/recurrence/calendars.json"

EDGES = ("open", "break_start", "break_end", "close")


def build(first: date, last: date) -> dict[str, Any]:
    """Return the table for the days from `first` to `last`, both inclusive."""
    return {
        "first": first.isoformat(),
        "last": last.isoformat(),
        "exchanges": {"FX": FX} | {name: _exchange(name, first, last) for name in sorted(EXCHANGES)},
    }


def _exchange(name: str, first: date, last: date) -> dict[str, Any]:
    # The holidays of some exchanges, such as those of China, are only known for the years that they have announced.
    known = exchange_calendars.calendar_utils.global_calendar_dispatcher.get_calendar(name).bound_max()
    announced = last if known is None else min(last, known.date())
    calendar = exchange_calendars.get_calendar(name, start=first, end=announced)
    schedule = calendar.schedule
    local = {edge: schedule[edge].dt.tz_convert(calendar.tz).dt.strftime("%H:%M") for edge in schedule.columns}
    days = {
        day: [[begin, close]] if lunch != lunch else [[begin, lunch], [back, close]]  # noqa: PLR0124 — NaN means that there is no break
        for day, begin, lunch, back, close in zip(
            schedule.index.strftime("%Y-%m-%d"), *(local[edge] for edge in EDGES), strict=True
        )
    }
    regular = json.loads(Counter(json.dumps(hours) for hours in days.values()).most_common(1)[0][0])
    weekdays = set(pd.bdate_range(first, announced).strftime("%Y-%m-%d"))
    shorter = {} if announced == last else {"last": announced.isoformat()}
    return shorter | {
        "zone": str(calendar.tz),
        "hours": regular,
        "holidays": sorted(weekdays - days.keys()),
        # Early closes, late opens and weekend sessions.
        "special": {day: hours for day, hours in days.items() if hours != regular or day not in weekdays},
    }


def render(table: dict[str, Any]) -> str:
    """Return the table as JSON with one line per exchange, so that a diff shows which exchange changed."""
    lines = [f"  {json.dumps(name)}: {json.dumps(entry, sort_keys=True)}" for name, entry in table["exchanges"].items()]
    head = f'{{\n "first": "{table["first"]}",\n "last": "{table["last"]}",\n "exchanges": {{\n'
    return head + ",\n".join(lines) + "\n }\n}\n"


def main() -> None:
    """Write the table."""
    year = datetime.now(UTC).year
    first, last = (
        (date.fromisoformat(text) for text in sys.argv[1:3])
        if len(sys.argv) == 3
        else (date(year - 1, 1, 1), date(year + 5, 12, 31))
    )
    TARGET.write_text(render(build(first, last)), encoding="utf-8")
    sys.stdout.write(f"{TARGET}: {len(EXCHANGES)} exchanges and FX, {first} to {last}\n")


if __name__ == "__main__":
    main()
