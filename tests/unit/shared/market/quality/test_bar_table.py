"""Tests of the decision table of bars in docs/data-quality.md, row by row."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from financehub_shared.core.clock import ManualClock
from financehub_shared.core.models import BarAnswer, Bars
from financehub_shared.market.quality.bars import CheckedBars, check_history
from financehub_shared.providers.bar_fetcher import BarFetcher, BarRequest
from support.bar_histories import COIN, DAY, STOCK, bars, read_history, read_increment, traded, walk
from support.real_bars import part

PAGE = (Path(__file__).parents[5] / "docs/data-quality.md").read_text(encoding="utf-8")
#: Row of the table → (its decision, its cell with the message for the user).
ROWS = {
    name: (decision.strip(), shown.strip())
    for name, decision, shown in re.findall(r"^\| (B\d+) \|[^|]*\|[^|]*\|([^|]*)\|((?:[^|\n])*)\|$", PAGE, re.MULTILINE)
}
TRUE = walk(120)
STORED = bars(TRUE[:-1])
#: Row → (closes that are stored after its scenario, class of the reason, the scenario).
Expected = tuple[list[float], str]
SCENARIOS: dict[str, list[Callable[[], tuple[CheckedBars, Expected]]]] = {}


def row(
    name: str,
) -> Callable[[Callable[[], tuple[CheckedBars, Expected]]], Callable[[], tuple[CheckedBars, Expected]]]:
    """Register a scenario of a row."""

    def register(scenario: Callable[[], tuple[CheckedBars, Expected]]) -> Callable[[], tuple[CheckedBars, Expected]]:
        SCENARIOS.setdefault(name, []).append(scenario)
        return scenario

    return register


def changed(place: int, *cells: float | None) -> Bars:
    """Return the right bars with other cells (None for the right one) on one day."""
    rows = [(close, close * 1.01, close * 0.99, close) for close in TRUE]
    right = rows[place]
    rows[place] = tuple(old if new is None else new for old, new in zip(right, cells, strict=True))  # type: ignore[assignment]
    return bars(rows)


def without(*places: int) -> list[float]:
    return [close for place, close in enumerate(TRUE) if place not in places]


def scaled(factor: float, start: int, end: int) -> Bars:
    return bars([close * factor if start <= place < end else close for place, close in enumerate(TRUE)])


@row("B1")
def _() -> tuple[CheckedBars, Expected]:
    return read_history(changed(50, None, math.nan, None, None)), (without(50), "price")


@row("B2")
def _() -> tuple[CheckedBars, Expected]:
    delivered = bars(TRUE)
    now = (delivered.days[-3] - 1.5) * DAY
    return check_history(COIN, BarAnswer(delivered), None, None, now), (TRUE[:-3], "future")


@row("B3")
def _() -> tuple[CheckedBars, Expected]:
    delivered = bars(TRUE)
    place = next(
        place for place, day in enumerate(delivered.days) if place > 40 and delivered.days[place - 1] < day - 1
    )
    delivered.days[place] -= 1  # Monday's bar is dated Sunday
    return read_history(delivered), (without(place), "weekend")


@row("B4")
def _() -> tuple[CheckedBars, Expected]:
    return read_history(bars(TRUE, volume=[-1.0, *[100.0] * 119])), (TRUE, "volume")


@row("B5")
def _() -> tuple[CheckedBars, Expected]:
    return read_history(changed(50, None, None, TRUE[50] / 100, TRUE[50] / 100)), (TRUE, "unit")


@row("B6")
def _() -> tuple[CheckedBars, Expected]:
    checked = read_history(changed(50, TRUE[50] * 1.02, None, None, None))
    assert checked.bars.high[50] == TRUE[50] * 1.02
    return checked, (TRUE, "range")


@row("B7")
def _() -> tuple[CheckedBars, Expected]:
    return read_history(changed(50, TRUE[50] * 1.05, None, None, None)), (without(50), "range")


@row("B7")
def _() -> tuple[CheckedBars, Expected]:
    return read_history(changed(50, None, TRUE[50] * 25, None, None)), (without(50), "range")


@row("B8")
def _() -> tuple[CheckedBars, Expected]:
    return read_history(bars(TRUE), problems=("the open of 2022-01-01 is null",)), (TRUE, "unreadable")


@row("B9")
def _() -> tuple[CheckedBars, Expected]:
    delivered = scaled(10.0, 30, 43)
    return read_history(delivered, {delivered.days[80]: 10.0}), (TRUE, "split")


@row("B10")
def _() -> tuple[CheckedBars, Expected]:
    delivered = bars(TRUE)
    return read_history(delivered, {delivered.days[80]: 1 / 150}), (TRUE, "")


@row("B11")
def _() -> tuple[CheckedBars, Expected]:
    closes = [*TRUE[:80], *(close / 1.1 for close in TRUE[80:])]
    delivered = bars(closes)
    return read_history(delivered, {delivered.days[80]: 1.1}), (closes, "")


@row("B12")
def _() -> tuple[CheckedBars, Expected]:
    return read_history(scaled(100.0, 30, 80), price=TRUE[-1]), (TRUE, "unit")


@row("B12")
def _() -> tuple[CheckedBars, Expected]:
    return read_history(scaled(100.0, 30, 80), stored=STORED), (TRUE, "unit")


@row("B13")
def _() -> tuple[CheckedBars, Expected]:
    return read_history(scaled(45.0, 30, 80), price=TRUE[-1]), ([*TRUE[:30], *TRUE[80:]], "scale")


@row("B14")
def _() -> tuple[CheckedBars, Expected]:
    return read_history(scaled(100.0, 0, 70)), ([], "scale")


@row("B15")
def _() -> tuple[CheckedBars, Expected]:
    return read_history(bars(TRUE), price=TRUE[-1] * 100), ([], "scale")


@row("B16")
def _() -> tuple[CheckedBars, Expected]:
    return read_history(scaled(0.4, 50, 52)), (without(50, 51), "jump")


@row("B17")
def _() -> tuple[CheckedBars, Expected]:
    closes = [*TRUE[:50], TRUE[49] * 0.661, TRUE[49] * 0.68, *(close * 0.83 for close in TRUE[52:])]
    return read_history(bars(closes)), (closes, "")


@row("B17")
def _() -> tuple[CheckedBars, Expected]:
    closes = [*TRUE[:50], TRUE[49] * 0.5, *TRUE[51:]]
    return read_history(bars(traded(closes))), (closes, "")


@row("B18")
def _() -> tuple[CheckedBars, Expected]:
    closes = [*TRUE[:50], *(close * 0.3 for close in TRUE[50:])]
    return read_history(bars(closes)), (closes, "")


@row("B19")
def _() -> tuple[CheckedBars, Expected]:
    delivered = part(bars([*TRUE[:-1], TRUE[-2] * 0.3]), 110, 120)
    return read_increment(delivered, STORED), (TRUE[110:119], "jump")


@row("B19")
def _() -> tuple[CheckedBars, Expected]:
    delivered = part(bars([*TRUE[:-1], TRUE[-2] * 0.5]), 110, 120)
    return read_increment(delivered, STORED, price=TRUE[-2]), (TRUE[110:119], "jump")


@row("B20")
def _() -> tuple[CheckedBars, Expected]:
    checked = read_increment(part(scaled(1.02, 0, 115), 110, 120), STORED)
    assert checked.doubt.startswith("the stored bars of 5 days from")
    return checked, ([], "")


@row("B20")
def _() -> tuple[CheckedBars, Expected]:
    days = [place for place in range(119) if place != 112]
    columns = [[column[place] for place in days] for column in (STORED.open, STORED.high, STORED.low, STORED.close)]
    rows = list(zip(*columns, strict=True))
    stored = bars(rows)
    stored.days[:] = type(stored.days)("i", (STORED.days[place] for place in days))
    checked = read_increment(part(bars(TRUE), 110, 120), stored)
    assert "missing until now" in checked.doubt
    return checked, (TRUE[110:], "")


@row("B20")
def _() -> tuple[CheckedBars, Expected]:
    delivered = part(bars(TRUE), 110, 120)
    checked = read_increment(delivered, STORED, {delivered.days[-1]: 1.1})
    assert "a split takes effect" in checked.doubt
    return checked, ([], "")


@row("B21")
def _() -> tuple[CheckedBars, Expected]:
    return read_history(bars(TRUE), stored=part(scaled(3.0, 0, 60), 0, 119)), (TRUE, "history")


@row("B22")
def _() -> tuple[CheckedBars, Expected]:
    return read_history(scaled(100.0, 0, 120), stored=STORED), ([], "history")


@row("B22")
def _() -> tuple[CheckedBars, Expected]:
    return read_history(scaled(100.0, 0, 120), stored=part(STORED, 0, 118)), (
        [close * 100 for close in TRUE],
        "history",
    )


@row("B23")
def _() -> tuple[CheckedBars, Expected]:
    return read_history(scaled(3.0, 0, 60), stored=STORED), (TRUE[119:], "history")


@row("B24")
def _() -> tuple[CheckedBars, Expected]:
    return read_history(scaled(1e-4, 0, 120), stored=STORED, asset=COIN, is_fallback=True), ([], "history")


@row("B26")
def _() -> tuple[CheckedBars, Expected]:
    delivered = changed(50, None, math.nan, None, None)
    return read_history(delivered, stored=STORED), (TRUE, "price")


@row("B27")
def _() -> tuple[CheckedBars, Expected]:
    return read_history(replace(bars(TRUE), provider="simulated/yahoo"), stored=STORED), ([], "source")


@pytest.mark.parametrize(
    ("name", "number"), [(name, number) for name, scenarios in SCENARIOS.items() for number in range(len(scenarios))]
)
def test_row_is_decided_as_documented(name: str, number: int):
    """D1, D2, D3, D6, D7, D8, N12: the scenario of a row ends as the table says, with the reason that it names."""
    checked, (closes, reason) = SCENARIOS[name][number]()
    assert list(checked.bars.close) == pytest.approx(closes)
    assert {record.reason_class for record in checked.records} == ({reason} if reason else set())
    decision, shown = ROWS[name]
    if decision in {"left out", "the history replaces them"}:
        assert f"`{reason}" in shown
    if decision == "good":
        assert not reason
    if decision == "corrected":
        assert all("corrected" in record.reason for record in checked.records)
    if decision == "left out":
        assert not any("corrected" in record.reason for record in checked.records)


async def test_row_b25_is_decided_as_documented():
    """D6: a provider without bars of days that are stored fails with the sentence of the table."""

    class Empty:
        name = "yahoo"

        def serves(self, asset: object) -> bool:
            return True

        async def fetch_bars(self, *_: object) -> BarAnswer:
            return BarAnswer(part(bars(TRUE), 0, 0))

    clock = ManualClock(STORED.days[-1] * DAY)
    requests = {STOCK.symbol: BarRequest(STORED.days[100], is_full=False)}
    report = await BarFetcher([Empty()], clock).fetch([STOCK], requests, clock.monotonic() + 10)
    sentence = ROWS["B25"][1].strip("`").partition(";")[0]
    assert sentence in report.missing[STOCK.symbol]


def test_every_row_has_a_scenario():
    """The rows of the table and the scenarios of these tests are the same."""
    assert ROWS.keys() == {*SCENARIOS, "B25"}
    assert list(ROWS) == [f"B{number}" for number in range(1, len(ROWS) + 1)]
