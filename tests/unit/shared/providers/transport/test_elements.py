"""Tests of finding and reading single elements of an answer."""

from typing import Any

import pytest

from financehub_shared.core.errors import MalformedError
from financehub_shared.core.models import Quality
from financehub_shared.providers.transport.damaged_json import Damaged
from financehub_shared.providers.transport.elements import Elements, Fields

BTC, ETH = {"symbol": "BTCUSDT", "price": "1"}, {"symbol": "ethusdt", "price": "2"}


def find(values: list[Any], name: str) -> dict[str, Any] | None:
    return Elements("upstream", values, "symbol").find(name)


@pytest.mark.parametrize("name", ["ETHUSDT", "ethusdt", "EthUsdt"])
def test_element_is_found_in_any_case(name: str):
    """An upstream's answer may spell a name differently from the request (D9, I9)."""
    assert find([BTC, ETH], name) == ETH
    assert find([BTC, ETH | {"symbol": " ethusdt"}], name) is not None


def test_element_that_is_left_out_is_none():
    """If all elements of an answer are readable, an element that is not among them is missing."""
    assert find([BTC], "XRPUSDT") is None
    assert find([], "XRPUSDT") is None


def test_equal_elements_are_one_and_different_ones_are_none():
    """It is unknown which of two different elements is right, so neither is used (D9, I8)."""
    assert find([BTC, dict(BTC)], "BTCUSDT") == BTC
    with pytest.raises(MalformedError, match="BTCUSDT: the answer has 2 different entries for it"):
        find([BTC, {**BTC, "price": "9"}, ETH], "BTCUSDT")
    assert find([BTC, {**BTC, "price": "9"}, ETH], "ETHUSDT") == ETH


def test_element_under_the_name_of_another_never_replaces_it():
    """The price of a row with a wrong name must not be used for the asset of that name (D4)."""
    with pytest.raises(MalformedError):
        find([BTC, {"symbol": "BTCUSDT", "price": "0.5"}], "BTCUSDT")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "null"), (5, "5"), ("text", "'text'"), ([1], "an array of 1"), ({"a": 1}, "an object")],
)
def test_missing_element_of_an_answer_with_nameless_ones_may_be_one_of_them(value: Any, shown: str):
    """The sentence says that the element may be there, because 'unknown symbol' could be wrong (D10, I7)."""
    with pytest.raises(MalformedError) as caught:
        find([BTC, value], "XRPUSDT")
    assert caught.value.detail == (
        "XRPUSDT is not in the answer, or its symbol cannot be read; entries without a readable symbol: 1 "
        f"(the first is {shown})"
    )
    assert find([BTC, value], "BTCUSDT") == BTC


def test_damaged_element_is_recognized_by_its_name():
    """The text of an element that is not JSON shows which asset it is about."""
    damaged = Damaged('{"symbol":"XRPUSDT","price":NaN}', "NaN is not a number")
    with pytest.raises(MalformedError, match=r"XRPUSDT: its entry is not JSON \(NaN is not a number\)"):
        find([BTC, damaged], "XRPUSDT")


def test_dropped_optional_value_is_noted_and_a_missing_one_is_not():
    """A damaged optional value corrects the quote, with a note; null and a missing key are not damage (I2)."""
    fields = Fields("upstream", "BTCUSDT", {"volume": "abc", "change": None})
    assert {fields.optional_number(name) for name in ("volume", "change", "missing")} == {None}
    assert (fields.note, fields.quality) == ("dropped: volume 'abc'", Quality.CORRECTED)
    assert Fields("upstream", "BTCUSDT", {}).quality is Quality.GOOD
