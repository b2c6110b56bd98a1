"""Measurements of the end-to-end tests, printed for information at the end of the run. No test depends on them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

#: Name of each measurement → its value with the unit.
MEASUREMENTS: dict[str, str] = {}


def note(name: str, value: str) -> None:
    """Record a measurement.

    Args:
        name: Name of the measurement.
        value: Its value with the unit.
    """
    MEASUREMENTS[name] = value


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Record the duration of a block if it succeeds.

    Args:
        name: Name of the measurement.
    """
    started_at = time.monotonic()
    yield
    note(name, f"{time.monotonic() - started_at:.1f} s")


def lines() -> list[str]:
    """Return the lines of the measurement table."""
    width = max(map(len, MEASUREMENTS), default=0)
    return [f"{name:{width}}  {value}" for name, value in MEASUREMENTS.items()]
