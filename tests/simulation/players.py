"""Starts processes that play seeds. Each has its own Redis, and all of them have the same planted bug or none."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from simulation import planted

#: The Redis of this process, and whether it draws every kind of event.
_process: dict[str, Any] = {}


def players(processes: int, bug: str | None, *, extended: bool) -> ProcessPoolExecutor:
    """Return processes that play seeds.

    They are new programs. A fork of a process that has already got a result would have imported the product without the
    bug. An initializer that fails ends this pool; `multiprocessing.Pool` would start it again and again.

    Args:
        processes: Their number.
        bug: Name of the bug that is planted in them; None for none.
        extended: Whether they draw every kind of event.
    """
    return ProcessPoolExecutor(processes, get_context("spawn"), initializer=_start, initargs=(bug, extended))


def _start(bug: str | None, extended: bool) -> None:
    patches = planted.plant(planted.BUGS[bug]) if bug else []
    # The product is imported only now, after a bug was planted.
    from simulation.scenario import turn_off_logs
    from simulation.wire import Wire

    turn_off_logs()
    _process.update(wire=Wire(patches), extended=extended)


def play_seed(seed: int) -> tuple[int, Any]:
    """Play a seed in this process, and return it with its `Result`."""
    from simulation.events import draw
    from simulation.scenario import play

    return seed, play(_process["wire"], draw(seed, extended=_process["extended"]), is_cluster=seed % 2 == 0)


def shorten(seed: int) -> str:
    """Shorten the scenario of a failing seed in this process, and return it as text."""
    from simulation.events import draw
    from simulation.scenario import play
    from simulation.shrink import shrink

    is_cluster = seed % 2 == 0
    drawn = draw(seed, extended=_process["extended"])
    events = shrink(drawn, lambda events: play(_process["wire"], events, is_cluster=is_cluster).failure)
    lines = "".join(f"    {event!r},\n" for event in events)
    failure = play(_process["wire"], events, is_cluster=is_cluster).failure
    return f"is_cluster={is_cluster}, events=[\n{lines}]\n{failure}"
