"""How often wrong keys are logged."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from financehub_shared.core.clock import ManualClock
from financehub_shared.core.durations import HOUR_SECONDS, MINUTE_SECONDS
from financehub_shared.redis import key_types
from financehub_shared.redis.key_types import WrongKeyLog


def test_wrong_keys_beyond_the_limit_are_one_line_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many keys are wrong and however often they are read, each is logged once an hour, up to a limit."""
    monkeypatch.setattr(key_types, "_REMEMBERED", 100)
    clock = ManualClock()
    report = WrongKeyLog(clock.monotonic)
    for _ in range(2):
        with capture_logs() as logs:
            for _ in range(5):
                for number in range(250):
                    report(f"key-{number}", "it is wrong")
                clock.advance(60)
        events = [entry["event"] for entry in logs]
        assert events == ["key_ignored"] * 100 + ["keys_ignored"]
        clock.advance(HOUR_SECONDS)


def test_key_that_is_set_aside_again_and_again_is_one_line_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that writes a wrong key as often as it is set aside does not fill the log."""
    clock = ManualClock()
    monkeypatch.setattr(key_types, "_set_aside", key_types.RecentNames(MINUTE_SECONDS, clock.monotonic))
    moved: list[Any] = [b"a", b"aside:a", b"b", b"aside:b"]
    with capture_logs() as logs:
        for _ in range(120):
            assert key_types._log_set_aside({"a": "hash", "b": "hash"}, moved)
            clock.advance(1)
    assert [entry["key"] for entry in logs] == ["a", "b"] * 2
