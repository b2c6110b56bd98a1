"""Calls of which some never return."""

import threading
from collections.abc import Iterator

import pytest

from financehub_scheduler.sources.attempts import Attempts
from support.waiting import eventually


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """An event for which calls that hang wait."""
    event = threading.Event()
    yield event
    event.set()


def test_each_with_hanging_calls_returns_the_other_results(release: threading.Event) -> None:
    """Calls that hang give a TimeoutError, and all others are made and give their results."""
    attempts = Attempts(3.0)  # Far more than a call takes that does not hang, because the machine may be busy.

    def call(number: int) -> int:
        if number in {0, 3, 9}:
            release.wait()
        return number * 2

    found = dict(attempts.each(range(10), call))
    assert {number for number, result in found.items() if isinstance(result, TimeoutError)} == {0, 3, 9}
    assert [found[number] for number in (1, 2, 4, 5, 6, 7, 8)] == [2, 4, 8, 10, 12, 14, 16]


def test_each_does_not_call_again_what_still_hangs(release: threading.Event) -> None:
    """An entry that hangs costs one thread, however often the folder is looked at, and is tried again when it ends."""
    attempts, calls = Attempts(0.1), []

    def call(key: str) -> str:
        calls.append(key)
        release.wait()
        return key

    for _ in range(5):
        ((_, result),) = attempts.each(["x"], call)
        assert isinstance(result, TimeoutError)
    assert calls == ["x"]
    release.set()
    eventually(lambda: dict(attempts.each(["x"], call)) == {"x": "x"}, "it is tried again")


def test_each_with_an_error_yields_it() -> None:
    """An error of the operating system belongs to its key."""

    def call(key: str) -> str:
        if key == "bad":
            raise PermissionError(13, "Permission denied")
        return key

    found = dict(Attempts(5).each(["bad", "good"], call))
    assert isinstance(found["bad"], PermissionError)
    assert found["good"] == "good"


def test_stop_ends_the_waiting(release: threading.Event) -> None:
    """A process that ends does not wait for a call that hangs."""
    attempts = Attempts(60)
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.extend(attempts.each(["x"], lambda _: release.wait())))
    thread.start()
    attempts.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert found == []
