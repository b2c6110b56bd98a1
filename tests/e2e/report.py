"""What the end-to-end tests measured, printed at the end of the run: figures for people, on which no test depends."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

#: Name → what was measured.
FIGURES: dict[str, str] = {}


def note(name: str, value: str) -> None:
    """Keep a figure.

    Args:
        name: what was measured.
        value: with its unit.
    """
    FIGURES[name] = value


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Keep how long a block takes, if it succeeds.

    Args:
        name: what was measured.
    """
    began = time.monotonic()
    yield
    note(name, f"{time.monotonic() - began:.1f} s")


def lines() -> list[str]:
    """The table."""
    width = max(map(len, FIGURES), default=0)
    return [f"{name:{width}}  {value}" for name, value in FIGURES.items()]
