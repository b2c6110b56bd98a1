"""Tests of the `breakers` commands: list, open, close and reset."""

from typing import Any

import pytest
import redis

from financehub_shared.breaker import reset


def test_breakers_commands_change_the_state_by_hand(cli: Any, invoke: Any):
    """A breaker that was opened manually is open for the fleet until it is closed or reset."""
    assert cli("breakers", "list") == []
    (opened,) = cli("breakers", "open", "binance")
    assert (opened["upstream"], opened["state"], opened["forced"]) == ("binance", "open", True)
    assert opened["since"].endswith("Z")
    assert "open (forced)" in invoke("breakers", "list").stdout
    (closed,) = cli("breakers", "close", "binance")
    assert (closed["state"], closed["forced"]) == ("closed", False)
    assert [info["state"] for info in cli("breakers", "open", "binance", "kraken")] == ["open", "open"]
    assert [info["upstream"] for info in cli("breakers", "reset", "kraken")] == ["kraken"]
    assert {info["upstream"]: info["state"] for info in cli("breakers", "list")} == {
        "binance": "open",
        "kraken": "closed",
    }


def test_breakers_with_a_reason_show_it_until_the_next_change(cli: Any, invoke: Any, monkeypatch: pytest.MonkeyPatch):
    """The user and the reason are listed with the change, on one line and not longer than 200 characters."""
    monkeypatch.setenv("LOGNAME", "alice")
    (opened,) = cli("breakers", "open", "binance", "--reason", "maintenance\nuntil noon")
    change = opened["change"]
    assert (change["action"], change["by"], change["reason"]) == ("open", "alice", "maintenance until noon")
    assert change["at"] >= opened["since"]
    assert "open by alice" in invoke("breakers", "list").stdout
    (closed,) = cli("breakers", "close", "binance")
    assert (closed["change"]["action"], closed["change"]["reason"]) == ("close", "")
    (again,) = cli("breakers", "reset", "binance", "--reason", "x" * 300)
    assert len(again["change"]["reason"]) == 200


def test_breakers_open_with_unknown_upstream_exits_with_2(cli: Any, invoke: Any):
    """A typo does not create an unused breaker, and the message suggests the correct name."""
    result = invoke("breakers", "open", "binnance")
    assert result.exit_code == 2
    assert "did you mean binance?" in result.stderr
    assert cli("breakers", "list") == []


def test_breakers_open_with_a_provider_of_feeds_opens_the_breaker_of_each_feed(
    cli: Any, invoke: Any, redis_client: redis.Redis
):
    """Each feed has its own breaker, so `rss` changes the breakers of all used feeds and creates no other."""
    result = invoke("breakers", "open", "rss")
    assert result.exit_code == 2
    assert "rss: each of its feeds has its own breaker, and none has been used yet" in result.stderr
    for feed in ("rss:coindesk.com", "rss:cnbc.com"):
        reset(redis_client, feed)
    opened = cli("breakers", "open", "rss")
    assert {info["upstream"]: info["state"] for info in opened} == {"rss:cnbc.com": "open", "rss:coindesk.com": "open"}
    assert [info["upstream"] for info in cli("breakers", "close", "rss:cnbc.com")] == ["rss:cnbc.com"]
    assert {info["upstream"] for info in cli("breakers", "list")} == {"rss:cnbc.com", "rss:coindesk.com"}
