"""Tests of the validation of names that a user enters."""

import pytest

from financehub_cli.session import require_known
from financehub_shared.core.errors import ConfigError


def test_require_known_with_known_name_returns_it():
    """A known name is returned unchanged."""
    assert require_known("upstream", "kraken", ["binance", "kraken"]) == "kraken"


@pytest.mark.parametrize(
    ("name", "known", "message"),
    [
        ("krakne", ["binance", "kraken"], "unknown upstream 'krakne'; did you mean kraken?"),
        ("x", ["binance", "kraken"], "unknown upstream 'x'; known names: binance, kraken"),
        ("x", [], "unknown upstream 'x'; known names: none"),
        ("x", [f"name-{number}" for number in range(13)], "none of the 13 known names is similar"),
    ],
)
def test_require_known_with_unknown_name_suggests_names(name: str, known: list[str], message: str):
    """The error suggests similar names, lists a few known names, or says how many names there are."""
    with pytest.raises(ConfigError) as raised:
        require_known("upstream", name, known)
    assert message in str(raised.value)
