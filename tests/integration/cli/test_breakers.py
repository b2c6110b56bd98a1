"""`breakers`: seen and steered by hand."""

from typing import Any


def test_a_breaker_is_opened_closed_and_reset_by_hand(cli: Any, invoke: Any):
    """What is opened by hand is open for the fleet until it is closed."""
    assert cli("breakers", "list") == []
    (opened,) = cli("breakers", "open", "binance")
    assert (opened["upstream"], opened["state"], opened["forced"]) == ("binance", "open", True)
    assert opened["since"].endswith("Z")
    assert "open (forced)" in invoke("breakers", "list").stdout
    (closed,) = cli("breakers", "close", "binance")
    assert (closed["state"], closed["forced"]) == ("closed", False)
    assert [each["state"] for each in cli("breakers", "open", "binance", "kraken")] == ["open", "open"]
    assert [each["upstream"] for each in cli("breakers", "reset", "kraken")] == ["kraken"]
    assert {each["upstream"]: each["state"] for each in cli("breakers", "list")} == {
        "binance": "open",
        "kraken": "closed",
    }


def test_an_unknown_upstream_is_refused(cli: Any, invoke: Any):
    """A typo opens no breaker that nobody asks."""
    done = invoke("breakers", "open", "binnance")
    assert done.exit_code == 2
    assert "did you mean binance?" in done.stderr
    assert cli("breakers", "list") == []
