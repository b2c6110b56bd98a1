"""Tests that the indicators task handles histories that change upstream, day by day (D1, D2, D6, D10)."""

from array import array
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from financehub_medium_priority.indicators.task import calculate_indicators
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import (
    BlockedError,
    BreakerOpenError,
    MalformedError,
    NotFoundError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    TaskFailedError,
)
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, BarAnswer, Bars, Quote
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.providers.bar_fetcher import BarFetcher
from support.bar_histories import DAY, bars, sessions, walk
from support.memory_store import MemoryStore
from support.real_bars import part

STOCK = Asset("X.L", AssetType.STOCK, currency="GBP")
COIN = Asset("X-USD", AssetType.CRYPTO)
COUNT = 420
#: A Monday.
FIRST_DAY = 20_101
TRUE = walk(COUNT)
DAYS = sessions(COUNT, FIRST_DAY)
Answer = Callable[[int, Bars], BarAnswer | ProviderError]


class World:
    """An upstream whose history grows by a bar per session, the task, and the store.

    Args:
        answer: Returns the answer on the day with this index, given the right bars that are complete on that day.
        asset: The asset.
        fallback: The same function for the fallback provider.
    """

    def __init__(self, answer: Answer, asset: Asset = STOCK, fallback: Answer | None = None) -> None:
        self.asset = asset
        self.store = MemoryStore()
        self.store.put_assets([asset])
        self.clock = ManualClock(0.0)
        self.providers = [Upstream(self, "yahoo", answer)]
        if fallback:
            self.providers.append(Upstream(self, "other", fallback))
        self.restart()
        self.summary = TaskSummary(0, 0)
        self.today = 0
        self.said = ""

    def restart(self) -> None:
        """Start a new process without any state in memory."""
        self.fetcher = BarFetcher(self.providers, self.clock)

    async def run(self, *days: int, hour: float = 1.0) -> "World":
        """Run the task in the night after each of these sessions, given by index."""
        for day in days:
            self.today = day
            self.clock.advance((DAYS[day] + 1) * DAY + hour * 3_600 - self.clock.now())
            try:
                self.summary = await calculate_indicators(
                    None, store=self.store, bars=self.fetcher, engine="talib", series=10, clock=self.clock
                )
                self.said = self.summary.missing.get(self.asset.symbol, "")
            except TaskFailedError as error:  # the run has no data of its only asset
                self.said = str(error)
        return self

    def true_bars(self) -> Bars:
        """Return the right bars up to today's session."""
        return replace(part(bars(TRUE, FIRST_DAY), 0, self.today + 1), symbol=self.asset.symbol)

    @property
    def closes(self) -> list[float]:
        """The stored closes."""
        stored = self.store.bars([self.asset.symbol])
        return list(stored[self.asset.symbol].close) if stored else []

    @property
    def requests(self) -> list[tuple[str, int, int]]:
        """(provider, index of the day, requested days) of each request."""
        return [request for provider in self.providers for request in provider.requests]

    def reasons(self) -> set[str]:
        """Return the classes of the quarantine records."""
        return {record.reason_class for record in self.store.quarantined()}


class Upstream:
    """A provider of daily bars."""

    def __init__(self, world: World, name: str, answer: Answer) -> None:
        self.name, self.world, self.answer = name, world, answer
        self.requests: list[tuple[str, int, int]] = []

    def serves(self, asset: Asset) -> bool:
        return True

    async def fetch_bars(self, asset: Asset, first_day: int, deadline: float) -> BarAnswer:
        self.requests.append((self.name, self.world.today, DAYS[self.world.today] - first_day))
        answer = self.answer(self.world.today, self.world.true_bars())
        if isinstance(answer, ProviderError):
            raise answer
        start = next((place for place, day in enumerate(answer.bars.days) if day >= first_day), len(answer.bars))
        within = replace(part(answer.bars, start, len(answer.bars)), provider=self.name)
        splits = {day: ratio for day, ratio in answer.splits.items() if day >= first_day}
        return replace(answer, bars=within, splits=splits)


def scaled(bars: Bars, factor: float, end: int) -> Bars:
    """Return bars whose first `end` days are in another scale."""
    columns = [
        array("d", (price * factor if place < end else price for place, price in enumerate(column)))
        for column in (bars.open, bars.high, bars.low, bars.close)
    ]
    return Bars(bars.symbol, bars.provider, bars.days, *columns, bars.volume)


def without(bars: Bars, *places: int) -> Bars:
    """Return bars without some of them."""
    kept = [place for place in range(len(bars)) if place not in places]
    columns = [array("d", (column[place] for place in kept)) for column in (bars.open, bars.high, bars.low, bars.close)]
    volume = array("d", (bars.volume[place] for place in kept))
    return Bars(bars.symbol, bars.provider, array("i", (bars.days[place] for place in kept)), *columns, volume)


def right(_day: int, bars: Bars) -> BarAnswer:
    return BarAnswer(bars)


# --- ordinary days ----------------------------------------------------------------------------------


async def test_ordinary_days_cost_one_request_each():
    """D6: a session costs one request. The history is read on the first two days, and later once in five to seven."""
    world = await World(right).run(*range(380, 410))
    assert [day for _, day, _ in world.requests] == list(range(380, 410))
    full = [day for _, day, length in world.requests if length > 100]
    assert full[:2] == [380, 381]
    assert all(3 <= later - earlier <= 6 for earlier, later in pairwise(full[1:]))
    assert world.closes == TRUE[:410]
    assert world.store.quarantined() == []


async def test_hourly_runs_cost_no_further_requests():
    """D6: the runs of the following hours do not send requests."""
    world = await World(right).run(380)
    for hour in range(2, 20):
        await world.run(380, hour=hour)
    assert len(world.requests) == 1


async def test_bars_of_the_release_before_are_read_in_full_once():
    """D6: bars that were stored before full reads were recorded are checked at once, and wrong bars are replaced."""
    world = World(right)
    world.today = 390
    world.store.put_bars([scaled(world.true_bars(), 100.0, 100)])
    await world.run(390)
    assert world.closes == TRUE[:391]
    await world.run(390, hour=2)
    assert len(world.requests) == 1


@pytest.mark.parametrize("shift", [-1, 1])
async def test_bars_that_the_release_before_dated_wrongly_are_removed(shift: int):
    """D8: bars stored a day early or late, such as Monday's bar on Sunday, are replaced by bars of the right days."""
    world = World(right)
    world.today = 390
    wrong = world.true_bars()
    wrong.days[:] = array("i", (day + shift for day in wrong.days))
    world.store.put_bars([wrong])
    await world.run(391)
    assert world.store.bars(["X.L"])["X.L"].days == world.true_bars().days
    assert world.closes == TRUE[:392]


# --- repairs by the upstream ------------------------------------------------------------------------


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "not announced"])
@pytest.mark.parametrize("ratio", [2.0, 3.0, 10.0, 0.1, 150.0])
@pytest.mark.parametrize("restarts", [False, True], ids=["one process", "a new process each day"])
async def test_lost_split_that_the_upstream_repairs_a_day_later_is_repaired(
    ratio: float, announced: bool, restarts: bool
):
    """D6: bars that were first fetched on a day with a lost split history are right after the next day's fetch."""

    def answer(day: int, bars: Bars) -> BarAnswer:
        if day == 400:
            return BarAnswer(scaled(bars, ratio, 200))
        return BarAnswer(bars, {DAYS[200]: ratio} if announced else {})

    world = await World(answer).run(400)
    if restarts:
        world.restart()
    await world.run(401)
    assert world.closes == TRUE[:402]
    assert len(world.requests) == 2


@pytest.mark.parametrize("ratio", [2.0, 10.0, 0.1])
async def test_split_history_that_the_upstream_loses_does_not_harm_the_store(ratio: float):
    """D6: if an upstream loses its split history, the stored bars stay, and new ones are added."""

    def answer(day: int, bars: Bars) -> BarAnswer:
        return BarAnswer(scaled(bars, ratio, 200) if day >= 395 else bars)

    world = await World(answer).run(*range(390, 405))
    assert world.closes == TRUE[:405]


async def test_hole_that_the_upstream_fills_three_days_later_is_filled():
    """D6: two days that the upstream had lost are stored once it delivers them again, and the whole history is read."""

    def answer(day: int, bars: Bars) -> BarAnswer:
        return BarAnswer(without(bars, 391, 392) if 391 <= day < 396 else bars)

    world = await World(answer).run(*range(385, 396))
    assert len(world.closes) == 394
    await world.run(396)
    assert world.closes == TRUE[:397]
    assert [length > 100 for _, day, length in world.requests if day == 396] in ([False, True], [True])


async def test_old_error_that_the_upstream_repairs_is_repaired_within_a_week():
    """D6: a full read, which replaces an ordinary fetch, finds an error that is older than the overlap."""

    def answer(day: int, bars: Bars) -> BarAnswer:
        return BarAnswer(scaled(bars, 1.3, 100) if day < 392 else bars)

    world = await World(answer).run(*range(380, 392))
    assert world.closes[:100] == pytest.approx([close * 1.3 for close in TRUE[:100]])
    await world.run(*range(392, 398))
    assert world.closes == TRUE[:398]
    assert "history" in world.reasons()


async def test_upstream_that_changes_its_mind_costs_at_most_two_requests_a_day():
    """D6: an upstream whose scale flips every day costs one full read per day, not one per hour."""

    def answer(day: int, bars: Bars) -> BarAnswer:
        return BarAnswer(scaled(bars, 3.0, len(bars)) if day % 2 else bars)

    world = World(answer)
    for day in range(390, 400):
        for hour in (1, 2, 3, 4):
            await world.run(day, hour=hour)
    assert len(world.requests) <= 10 * 2 + 10 * 3
    full = [day for _, day, length in world.requests if length > 100]
    assert max(full.count(day) for day in full) <= 2


async def test_refetch_reads_the_history_although_the_bars_are_current():
    """D6: the next run after `bars --refetch` reads the whole history, and replaces wrong stored bars."""
    world = await World(right).run(390, 391)
    world.store.put_bars([scaled(world.true_bars(), 0.5, 50)])
    world.store.request_full_reads(["X.L"])
    await world.run(391, hour=2)
    assert world.closes == TRUE[:392]
    assert len(world.requests) == 3


# --- splits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [1.1, 2.0, 9.0, 35.0, 100.0, 1 / 100, 1 / 150])
@pytest.mark.parametrize("lag", [0, 1, 4], ids=["at once", "a day later", "four days later"])
async def test_split_is_applied_to_the_stored_bars(ratio: float, lag: int):
    """D2, D3: after a split, all stored bars get the new scale, no matter when the upstream adjusts its bars.

    The stored quote is from before the split and in the old scale, because newer ones were refused. A ratio of 1.1
    cannot be distinguished from a move, so these bars are right as soon as the upstream has adjusted them.
    """

    def answer(day: int, bars: Bars) -> BarAnswer:
        if day < 400:
            return BarAnswer(scaled(bars, ratio, len(bars)))
        adjusted = bars if day >= 400 + lag else scaled(bars, ratio, 400)
        return BarAnswer(adjusted, {DAYS[400]: ratio})

    world = World(answer)
    await world.run(398, 399)
    old = (DAYS[399] + 0.7) * DAY
    world.store.put_quotes([Quote("X.L", Decimal(str(TRUE[399] * ratio)), "GBP", old, old, "yahoo")])
    await world.run(400)
    if ratio != 1.1 or lag == 0:
        assert world.closes == pytest.approx(TRUE[:401])
    await world.run(*range(401, 407))
    assert world.closes == pytest.approx(TRUE[:407])
    assert "unit" not in world.reasons()


# --- scales without an explanation ------------------------------------------------------------------


async def test_answer_in_another_scale_waits_for_the_next_session():
    """D1: if the whole history is 100 times the stored one and no price confirms it, it is accepted a session later."""

    def answer(day: int, bars: Bars) -> BarAnswer:
        return BarAnswer(scaled(bars, 100.0, len(bars)) if day >= 395 else bars)

    world = await World(answer).run(*range(390, 396))
    assert world.closes == TRUE[:395]
    assert "refused: history: every bar is ×100" in world.said
    await world.run(396)
    assert world.closes == pytest.approx([close * 100 for close in TRUE[:397]])


async def test_answer_in_another_scale_is_decided_by_the_current_price():
    """D1: with a current price, bars in the right scale are stored at once, and bars in the wrong scale never."""

    def answer(day: int, bars: Bars) -> BarAnswer:
        return BarAnswer(scaled(bars, 100.0, len(bars)) if 395 <= day < 400 else bars)

    world = World(answer)
    for day in range(390, 403):
        at = (DAYS[day] + 0.9) * DAY
        world.store.put_quotes([Quote("X.L", Decimal(str(TRUE[day])), "GBP", at, at, "yahoo")])
        await world.run(day)
        assert set(world.closes) <= {*TRUE}
    assert world.closes == TRUE[:403]


@pytest.mark.parametrize("factor", [100.0, 0.01, 1_000.0, 10.0])
async def test_hourly_runs_store_no_bar_whose_scale_is_in_doubt(factor: float):
    """D1: bars in a wrong unit, together with a price in that unit, are not stored in hourly runs over three days."""

    def answer(day: int, bars: Bars) -> BarAnswer:
        if not 395 <= day < 398:
            return BarAnswer(bars)
        columns = scaled(scaled(bars, factor, len(bars)), 1 / factor, 395)
        return BarAnswer(columns, price=TRUE[day] * factor, price_at=(DAYS[day] + 0.9) * DAY)

    world = await World(answer).run(393, 394)
    for day in range(395, 398):
        for hour in (1, 2, 3, 9):
            await world.run(day, hour=hour)
            assert world.closes == pytest.approx(TRUE[:395])
    await world.run(398)
    assert world.closes == pytest.approx(TRUE[:399])


async def test_fallback_with_another_coin_of_the_same_name_is_refused():
    """D4 for bars: a fallback whose bars are in another scale may mean another asset. Its answer is not stored."""

    def primary(day: int, bars: Bars) -> BarAnswer | ProviderError:
        return BlockedError("yahoo", "HTTP 451") if 395 <= day < 398 else BarAnswer(bars)

    def fallback(_day: int, bars: Bars) -> BarAnswer:
        return BarAnswer(scaled(bars, 1e-4, len(bars)))

    world = await World(primary, COIN, fallback).run(*range(390, 398))
    assert world.closes == TRUE[:395]
    assert "may mean another asset" in world.said
    await world.run(398)
    assert world.closes == TRUE[:399]


async def test_history_of_a_wrong_fallback_is_replaced_when_the_first_provider_is_back():
    """D4 for bars: bars that only a wrong fallback has delivered are replaced by the bars of the first provider."""

    def primary(day: int, bars: Bars) -> BarAnswer | ProviderError:
        return BlockedError("yahoo", "HTTP 451") if day < 395 else BarAnswer(bars)

    def fallback(_day: int, bars: Bars) -> BarAnswer:
        return BarAnswer(scaled(bars, 1e-4, len(bars)))

    world = await World(primary, COIN, fallback).run(390, 391, 392, 393, 394)
    assert world.closes == pytest.approx([close * 1e-4 for close in TRUE[:395]])
    await world.run(395, 396)
    assert world.closes == TRUE[:397]


# --- failures and damage ----------------------------------------------------------------------------


async def test_empty_answer_keeps_the_stored_bars_and_says_so():
    """D6: an answer without bars for days that are stored is an error, and never deletes stored bars."""

    def answer(day: int, bars: Bars) -> BarAnswer:
        return BarAnswer(part(bars, 0, 0) if day == 392 else bars)

    world = await World(answer).run(390, 391, 392)
    assert world.closes == TRUE[:392]
    assert "lost them" in world.said
    await world.run(393)
    assert world.closes == TRUE[:394]


@pytest.mark.parametrize(
    ("error", "is_recorded"),
    [
        (NotFoundError("yahoo", "no chart"), True),
        (MalformedError("yahoo", "bars of X.L are in JPY; expected GBP"), True),
        (ProviderTimeoutError("yahoo", "no answer within 10 s"), False),
        (BlockedError("yahoo", "HTTP 451"), False),
        (QuotaExceededError("yahoo", "60 per minute"), False),
        (BreakerOpenError("yahoo", "open for 30 s"), False),
    ],
    ids=lambda value: getattr(value, "kind", value),
)
async def test_sentence_of_a_provider_reaches_the_user(error: ProviderError, is_recorded: bool):
    """D10: the provider's own sentence is in the summary, and in the quarantine if it is about the asset."""

    def answer(day: int, bars: Bars) -> BarAnswer | ProviderError:
        return error if day == 391 else BarAnswer(bars)

    world = await World(answer).run(390, 391)
    assert error.detail in world.said
    records = [(record.kind, record.symbol, record.reason) for record in world.store.quarantined()]
    assert records == ([("bar", "X.L", error.reason)] if is_recorded else [])


async def test_unreadable_elements_are_reported_and_cost_nothing_else():
    """D9, D10: sentences about unreadable elements are in the quarantine and the summary, and stored bars stay."""

    def answer(day: int, bars: Bars) -> BarAnswer:
        if day == 392:
            problems = ("the open of 2026-08-06 is null; expected a number", "the splits are unknown")
            return BarAnswer(without(bars, 391), problems=problems)
        return BarAnswer(bars)

    world = await World(answer).run(390, 391, 392)
    assert world.closes == TRUE[:393]
    (record,) = world.store.quarantined()
    assert record.reason == "unreadable: the open of 2026-08-06 is null; expected a number; and 1 more"
    assert world.summary.details["findings"] == {"X.L": record.reason}


@pytest.mark.parametrize("damage", ["a bar of a future day", "a close of zero"])
async def test_stored_bar_that_is_impossible_is_removed_by_the_next_run(damage: str):
    """D6: a stored bar of the future does not stop the fetches of its asset. A price of zero does not stop the task."""
    world = await World(lambda _, right: BarAnswer(right)).run(300, 301, 302)
    symbol = world.asset.symbol
    stored = world.store.bars([symbol])[symbol]
    newest = part(stored, len(stored) - 1, len(stored))
    if damage == "a close of zero":
        wrong = replace(newest, close=array("d", [0.0]))
    else:
        wrong = replace(newest, days=array("i", [newest.days[0] + 400]))
    world.store.put_bars([wrong])
    await world.run(303)
    assert (world.closes, world.said, world.reasons()) == (TRUE[:304], "", {"history"})
