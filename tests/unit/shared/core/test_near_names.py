"""Tests of the validation of names that a user enters."""

import pytest

from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.errors import ConfigError, UnknownNameError
from financehub_shared.core.near_names import require_known, require_symbol, similar_names


def test_require_known_with_known_name_returns_it():
    """A known name is returned unchanged."""
    assert require_known("upstream", "kraken", ["binance", "kraken"]) == "kraken"


@pytest.mark.parametrize(
    ("name", "known", "message", "near"),
    [
        ("krakne", ["binance", "kraken"], "unknown upstream 'krakne'; did you mean kraken?", ["kraken"]),
        ("x", ["binance", "kraken"], "unknown upstream 'x'; known names: binance, kraken", []),
        ("x", [], "unknown upstream 'x'; known names: none", []),
        ("x", [f"name-{number}" for number in range(13)], "none of the 13 known names is similar", []),
    ],
)
def test_require_known_with_unknown_name_suggests_names(name: str, known: list[str], message: str, near: list[str]):
    """The error suggests similar names, lists a few known names, or says how many names there are."""
    with pytest.raises(UnknownNameError) as raised:
        require_known("upstream", name, known)
    assert message in str(raised.value)
    assert (raised.value.kind, raised.value.name, raised.value.near) == ("upstream", name, near)


def test_similar_names_of_a_misspelled_task_are_that_task_only():
    """All tasks end in `_task`, and some begin alike. A letter that is missing or doubled proposes no other task."""
    for name in CATALOG:
        for place in range(len(name)):
            for typo in (name[:place] + name[place + 1 :], name[: place + 1] + name[place:]):
                assert similar_names(typo, CATALOG) == [name], typo


def test_similar_names_of_a_text_between_several_names_are_all_of_them():
    """Names that are about as similar as the best one are proposed, best first."""
    assert similar_names("fetch_forex_prices_task", CATALOG) == ["fetch_stock_prices_task", "fetch_crypto_prices_task"]
    assert similar_names("zzz", CATALOG) == []


@pytest.mark.parametrize("symbol", ["AAPL", "aapl", "Aapl"])
def test_require_symbol_in_any_case_returns_the_canonical_symbol(symbol: str):
    """Users may write a symbol in lower case."""
    assert require_symbol(symbol, ["AAPL", "BTC-USD"]) == "AAPL"


@pytest.mark.parametrize(
    ("symbol", "near"),
    [("BTCUSDT", ["BTC-USD"]), ("AAPL.US", ["AAPL"]), ("aapll", ["AAPL"]), ("APPL", ["AAPL"]), ("VOD.L", [])],
)
def test_require_symbol_with_unknown_symbol_suggests_what_the_user_may_have_meant(symbol: str, near: list[str]):
    """The spelling of another source is understood, and a mistyped symbol too. Only known symbols are suggested."""
    with pytest.raises(UnknownNameError) as raised:
        require_symbol(symbol, ["AAPL", "BTC-USD"])
    assert raised.value.near == near
    assert isinstance(raised.value, ConfigError)  # the command line exits with the code of a wrong argument
    assert all(name in str(raised.value) for name in near)
