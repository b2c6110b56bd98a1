"""Tests of wrong units and unexplained levels: which bars are corrected, and which are left out (D1, D2)."""

import itertools
from array import array
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.core.models import BarAnswer, Quality
from financehub_shared.market.quality.current_price import current_price
from support.bar_histories import (
    COIN,
    DAY,
    STOCK,
    bars,
    quote_of,
    read_history,
    read_increment,
    reasons,
    recorded_history,
    walk,
)
from support.real_bars import part

TRUE = walk(120)
#: The closes of yahooquery #87. The right closes are 0.80, 1.20, 1.01 and 0.975.
CASE = [0.80, 120.0, 101.0, 0.975]


@pytest.mark.parametrize("price", [None, 0.98, 98.0], ids=["no quote", "the right quote", "a wrong quote"])
def test_history_with_an_edge_that_nothing_explains_is_not_rescaled(price: float | None):
    """D1: one edge of ×150, which is not a unit, makes the answer undecided.

    No bar is rescaled, and no wrong bar is kept. A wrong quote alone does not confirm the wrong bars.
    """
    checked = read_history(bars(CASE), price=price)
    assert list(checked.bars.close) == ([0.80, 0.975] if price == 0.98 else [])
    assert reasons(checked) == ["scale"]


def test_history_with_an_unexplained_edge_keeps_the_stored_bars_of_these_days():
    """D1: the stored bars of days that are left out stay."""
    checked = read_history(bars(CASE), stored=bars([0.80, 1.20, 1.01]))
    assert list(checked.bars.close) == [0.80, 1.20, 1.01, 0.975]


@pytest.mark.parametrize("factor", [100.0, 0.01])
@pytest.mark.parametrize(("start", "end"), [(40, 41), (40, 90), (0, 30)], ids=["one bar", "a section", "the beginning"])
def test_history_with_a_section_in_the_wrong_unit_is_corrected(factor: float, start: int, end: int):
    """D1: if every edge is explained and the current price agrees with the newest bars, the section is rescaled."""
    delivered = bars([close * factor if start <= place < end else close for place, close in enumerate(TRUE)])
    checked = read_history(delivered, price=TRUE[-1])
    assert list(checked.bars.close) == pytest.approx(TRUE)
    assert list(checked.bars.volume) == [100.0] * len(TRUE)
    assert reasons(checked) == ["unit"]


@pytest.mark.parametrize("edge", [25.0, 45.0, 60.0, 150.0, 250.0])
def test_history_with_one_more_unexplained_edge_rescales_nothing(edge: float):
    """D1: if there is an edge of another size in addition to a section that is ×100, all bars stay as delivered."""
    delivered = [
        close * (100 if 30 <= place < 50 else edge if 70 <= place < 80 else 1) for place, close in enumerate(TRUE)
    ]
    checked = read_history(bars(delivered), price=TRUE[-1])
    assert set(checked.bars.close) <= set(delivered)
    assert list(checked.bars.close) == [*TRUE[:30], *TRUE[50:70], *TRUE[80:]]


@pytest.mark.parametrize("factor", [100.0, 0.01, 1_000.0, 0.001])
@pytest.mark.parametrize("end", [50, 70, 100])
def test_history_in_two_units_without_a_known_price_is_left_out(factor: float, end: int):
    """D1: without a current price and without stored bars, it is unknown which unit is right."""
    checked = read_history(bars([close * factor if place < end else close for place, close in enumerate(TRUE)]))
    assert (len(checked.bars), reasons(checked)) == (0, ["scale"])


@pytest.mark.parametrize("spike", [3.5, 8.0, 20.0])
@pytest.mark.parametrize("factor", [100.0, 1_000.0, 10.0])
def test_spike_of_the_volume_does_not_explain_a_wrong_unit(factor: float, spike: float):
    """D1: a section that begins on a day with a large volume is found. No bar outside of it is rescaled."""
    delivered = [close * factor if 30 <= place < 80 else close for place, close in enumerate(TRUE)]
    volumes = [100.0 * (spike if place == 30 else 1) for place in range(len(TRUE))]
    checked = read_history(bars(delivered, volume=volumes), price=TRUE[-1])
    assert {round(close, 9) for close in checked.bars.close} <= {round(close, 9) for close in TRUE}
    assert len(checked.bars) >= 70


def test_change_of_unit_size_that_has_a_reason_prevents_a_correction():
    """D1: after a long suspension, the price can be at any level, so the other edge of ×100 may not be a unit."""
    delivered = bars([close * 100 if 30 <= place < 80 else close for place, close in enumerate(TRUE)])
    delivered.days[30:] = array("i", [day + 40 for day in delivered.days[30:]])
    checked = read_history(delivered, price=TRUE[-1])
    assert list(checked.bars.close) == TRUE[80:]
    assert reasons(checked) == ["scale"]


def test_reverse_split_that_nobody_announced_changes_the_volume_and_not_the_unit():
    """D2: 1:80 with a rise of 25 % on that day looks like ×100, but the later volumes show fewer shares."""
    closes = [close / 100 if place < 60 else close for place, close in enumerate(TRUE)]
    volumes = [8_000.0 if place < 60 else 100.0 for place in range(len(TRUE))]
    checked = read_history(bars(closes, volume=volumes), price=TRUE[-1], own_price=TRUE[-1])
    assert list(checked.bars.close) == TRUE[60:]
    assert reasons(checked) == ["scale"]


@pytest.mark.parametrize("factor", [100.0, 0.01, 10.0, 1_000.0])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_newest_bars_and_the_price_beside_them_do_not_outvote_the_others(factor: float, count: int):
    """D1: a wrong unit in an upstream's live data affects its newest bars and also the price in the same answer."""
    edge = len(TRUE) - count
    delivered = bars([close * factor if place >= edge else close for place, close in enumerate(TRUE)])
    first = read_history(delivered, own_price=delivered.close[-1])
    assert list(first.bars.close) == TRUE[:edge]
    later = read_history(delivered, own_price=delivered.close[-1], stored=bars(TRUE[:edge]))
    assert list(later.bars.close) == TRUE[:edge]


@pytest.mark.parametrize("factor", [100.0, 0.01, 1_000.0])
@pytest.mark.parametrize("count", [4, 11])
def test_newest_bars_in_another_unit_outvote_a_clear_majority_only_with_a_quote(factor: float, count: int):
    """D1: the price in the same answer is not a second source, so a tenth of the bars does not rescale all others."""
    edge = len(TRUE) - count
    delivered = bars([close * factor if place >= edge else close for place, close in enumerate(TRUE)])
    assert list(read_history(delivered, own_price=delivered.close[-1]).bars.close) == TRUE[:edge]
    by_quote = read_history(delivered, price=delivered.close[-1], own_price=delivered.close[-1])
    assert list(by_quote.bars.close)[-count:] == list(delivered.close)[-count:]


def test_first_history_of_a_coin_that_is_another_coin_is_left_out():
    """D4 for bars: bars of another coin, which a fallback lists under the same name, contradict the quote."""
    checked = read_history(bars([close * 5e-4 for close in TRUE]), price=TRUE[-1], asset=COIN, is_fallback=True)
    assert (len(checked.bars), reasons(checked)) == (0, ["scale"])


def test_stored_bars_that_contradict_the_quote_get_no_new_ones():
    """D1: bars that were stored before the quote was known are not evidence for new bars on the same level."""
    wrong = bars([close * 100 for close in TRUE])
    stored = part(wrong, 0, 119)
    history = read_history(wrong, stored=stored, price=TRUE[-1], own_price=TRUE[-1] * 100)
    short = read_increment(part(wrong, 110, 120), stored, price=TRUE[-1])
    for checked in (history, short):
        assert len(checked.bars) == 0
        assert not checked.is_settled
        assert "current price" in checked.late


def test_crash_that_the_quote_has_not_followed_keeps_the_scale():
    """D5: a quote shows another scale only if it contradicts several bars."""
    closes = [*TRUE[:-1], TRUE[-2] * 0.2]
    delivered = bars(closes, volume=[100.0] * 119 + [20_000.0])
    assert list(read_history(delivered, price=TRUE[-2]).bars.close) == closes


def test_history_in_two_units_is_corrected_by_stored_bars():
    """D1: stored bars that agree with the newest unit show which one is right."""
    delivered = bars([close * 100 if 30 <= place < 70 else close for place, close in enumerate(TRUE)])
    checked = read_history(delivered, stored=bars(TRUE[:-1]))
    assert list(checked.bars.close) == pytest.approx(TRUE)


def test_history_whose_newest_unit_only_a_quote_contradicts_is_undecided():
    """D1: a quote does not outweigh the newest bars. With the answer's own price, there are two facts against one."""
    delivered = bars([close / 100 if place >= 100 else close for place, close in enumerate(TRUE)])
    alone = read_history(delivered, price=TRUE[-1])
    assert set(alone.bars.close) <= {*TRUE[:100]}
    both = read_history(delivered, price=TRUE[-1], own_price=TRUE[-1])
    assert list(both.bars.close) == pytest.approx(TRUE)


def test_history_whose_stored_bars_contradict_the_current_price_is_undecided():
    """D1: if the facts about the unit contradict each other, no bar is rescaled."""
    delivered = bars([close * 100 if place >= 60 else close for place, close in enumerate(TRUE)])
    checked = read_history(delivered, price=TRUE[-1] * 100, stored=bars(TRUE[:-1]))
    assert {*checked.bars.close} <= {*TRUE, *delivered.close}
    assert reasons(checked) != ["unit"]


@pytest.mark.parametrize("ratio", [9, 35, 60, 80, 90, 100, 150, 190, 250])
def test_announced_split_excludes_the_unit(ratio: float):
    """D2: an announced reverse split is never mistaken for a wrong unit, even with a fall by 30 % on that day."""
    closes = [*TRUE[:100], *(close * 0.7 for close in TRUE[100:])]
    delivered = bars([close / ratio if place < 100 else close for place, close in enumerate(closes)])
    for price in (None, closes[-1], closes[-1] / ratio):
        checked = read_history(delivered, {delivered.days[100]: 1 / ratio}, price=price)
        assert "unit" not in reasons(checked)
        if price != closes[-1] / ratio:
            assert list(checked.bars.close) == pytest.approx(closes)


def test_reverse_split_that_nobody_announced_is_not_taken_for_a_unit():
    """D2: a change by ×80 is not a wrong unit of ×100. The older bars are left out until the upstream adjusts them."""
    delivered = bars([close / 80 if place < 100 else close for place, close in enumerate(TRUE)])
    checked = read_history(delivered, price=TRUE[-1])
    assert list(checked.bars.close) == TRUE[100:]


def test_lasting_level_of_a_coin_is_the_market():
    """D1: coins can fall by 99 % in a day. LUNA did so twice."""
    closes = [100.0, 102.0, 99.0, 101.0, 1.0, 0.01, 0.011]
    assert list(read_history(bars(closes), asset=COIN).bars.close) == closes


def test_dividend_explains_a_change_of_level():
    """A share that pays out nine tenths of its price opens at a tenth. Its older bars are right."""
    closes = [*TRUE[:60], *(close - 0.9 * TRUE[59] for close in TRUE[60:])]
    delivered = bars([max(close, 0.5) for close in closes])
    checked = read_history(delivered, dividends={delivered.days[60]: 0.9 * TRUE[59]})
    assert checked.bars == delivered
    assert len(read_history(delivered).bars) < len(delivered)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "price", "reason"),
    [
        ("AET-L-1d-100x-error", 14.5, "unit: ÷100 against the current price, corrected"),
        ("SSW-JO-1d-100x-error", 33.6, "unit: ×100 against the current price, corrected"),
        ("ASAI-L-1h-bad-unit", None, "unit: low, close off by 100 against the bars around it, corrected"),
    ],
)
def test_recorded_history_in_two_units_is_corrected(real_answers: Path, name: str, price: float | None, reason: str):
    """D1: the recorded histories get the recorded right prices; the answer's own price decides which unit is right."""
    delivered, _ = recorded_history(real_answers, name)
    fixed, _ = recorded_history(real_answers, f"{name}-fixed")
    checked = read_history(delivered, price=price, own_price=price)
    assert reason in [record.reason for record in checked.records]
    assert list(checked.bars.close) == pytest.approx(list(fixed.close), rel=1e-5)
    # The recorded bars of the JSE have opens outside the range, which then includes them.
    for column in ("open", "high", "low"):
        assert list(getattr(checked.bars, column)) == pytest.approx(list(getattr(fixed, column)), rel=7e-3), column


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from([1.0, 100.0, 0.01, 10.0, 150.0, 40.0]), min_size=2, max_size=6),
    st.lists(st.integers(1, 12), min_size=6, max_size=6),
    st.none() | st.sampled_from([1.0, 100.0, 0.01]),
)
def test_history_is_stored_as_delivered_or_in_one_scale(factors: list[float], lengths: list[int], known: float | None):
    """D1: for any sections of an answer, the stored bars are either continuous or exactly as delivered."""
    sections = [[factor] * length for factor, length in zip(factors, lengths, strict=False)]
    scales = list(itertools.chain(*sections))
    delivered = bars([close * scale for close, scale in zip(TRUE, scales, strict=False)])
    checked = read_history(delivered, price=None if known is None else TRUE[len(scales) - 1] * known)
    closes = list(checked.bars.close)
    assert all(1 / 4 < now / last < 4 for last, now in itertools.pairwise(closes))
    if "unit" not in reasons(checked):
        assert set(closes) <= set(delivered.close)
    assert bool(checked.records) is (checked.bars != delivered)


NEWEST = bars(TRUE)
END = (NEWEST.days[-1] + 1) * DAY


@pytest.mark.parametrize(
    ("quote", "own", "expected"),
    [
        (quote_of(10, END), None, (10.0, False)),
        (quote_of(10, END), 10.5, (10.0, True)),
        (None, 10.5, (10.5, False)),
        (None, 1_050.0, None),
        (None, 1e300, None),
        (quote_of(10, END), 1_000.0, (10.0, False)),
        (quote_of(10, END - 60), 25.0, None),
        (quote_of(10, END), 25.0, (10.0, False)),
        (quote_of(10, END - 3 * DAY), None, None),
        (quote_of(10, END, quality=Quality.UNCONFIRMED), None, None),
        (quote_of(10, END, currency="USD"), None, None),
        (quote_of(10, END, provider="simulated/yahoo"), None, None),
        (quote_of(10, END + 2 * DAY), None, None),
        (None, None, None),
    ],
    ids=[
        "a quote",
        "a quote and the answer",
        "the answer",
        "the answer contradicts its bars",
        "the answer has no price",
        "they are in different units",
        "the price may have moved between them",
        "the price has not moved between them",
        "a quote from before the newest bar",
        "an unconfirmed quote",
        "another currency",
        "a simulated quote",
        "a quote from the future",
        "nothing",
    ],
)
def test_current_price_counts_only_what_can_be_evidence(quote: object, own: float | None, expected: object):
    """D2: an old quote, which stays in the store if newer quotes are refused, does not confirm an old scale."""
    answer = BarAnswer(NEWEST, price=own, price_at=END)
    found = current_price(STOCK, answer, quote, END + DAY, is_first=True)  # type: ignore[arg-type]
    assert (found and (found.value, found.is_confirmed)) == expected


@pytest.mark.parametrize(("days", "expected"), [(13, None), (14, 10.0)])
def test_current_price_is_unknown_if_a_recent_split_can_explain_the_difference(days: int, expected: float | None):
    """D2: the quote is as new as the price in the answer, but one of the two may be in the scale before the split."""
    answer = BarAnswer(NEWEST, {NEWEST.days[-1] - days: 2.0}, price=20.0, price_at=END)
    found = current_price(STOCK, answer, quote_of(10, END), END + DAY, is_first=True)
    assert (found and found.value) == expected


def test_current_price_of_an_answer_alone_does_not_outweigh_stored_bars():
    """D1, D2: an upstream with newest bars in a wrong unit reports the price in the same answer in this unit, too."""
    answer = BarAnswer(NEWEST, price=10.5, price_at=END)
    assert current_price(STOCK, answer, None, END + DAY, is_first=False) is None


def test_current_price_is_unknown_if_a_split_follows_the_newest_bar():
    """D2: today's price is in the scale after today's split, and the bars may be in the scale before the split."""
    answer = BarAnswer(NEWEST, {NEWEST.days[-1] + 1: 10.0})
    assert current_price(STOCK, answer, quote_of(1, END), END + DAY, is_first=True) is None
    assert current_price(STOCK, replace(answer, splits={}), quote_of(1, END), END + DAY, is_first=True) is not None
