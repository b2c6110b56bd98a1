"""Inflicts a fault every 20 seconds, drawn from a seed, and waits until everything has recovered from each."""

import random
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from soak.accounts import Disturbance
from soak.faults import Fault
from soak.inflicted import Inflicted
from soak.journal import Journal
from soak.world import RECOVERY_SECONDS, World

#: Share of the soak in which faults that replace all pods of a component are drawn.
_FIRST_PART = 1 / 3
_POLL_SECONDS = 0.5


class Recovery(Protocol):
    """Tells whether everything has recovered."""

    def __call__(self, since: float) -> str:
        """Return what has not recovered since a Unix time in seconds, or an empty string."""


def draw(faults: Mapping[str, Fault], generator: random.Random) -> Iterator[tuple[str, Fault]]:
    """Yield faults without end: all kinds in a drawn order, then all of them in another one, and so on.

    Args:
        faults: Name → fault.
        generator: Decides the orders.
    """
    while True:
        names = list(faults)
        generator.shuffle(names)
        for name in names:
            yield name, faults[name]


class Nemesis:
    """Inflicts faults one after the other.

    Args:
        world: What they act on.
        faults: Name → fault.
        recovery: Tells whether everything has recovered.
        log: Gets a line for each fault.
        journal: Gets each fault when it begins and when everything has recovered from it.
    """

    def __init__(
        self,
        world: World,
        faults: Mapping[str, Fault],
        recovery: Recovery,
        log: Callable[[str], None],
        journal: Journal,
    ) -> None:
        self._world = world
        self._drawn = draw(faults, world.random)
        self._recovery = recovery
        self._log = log
        self._journal = journal

    def run(self, seconds: float, interval: float) -> Iterable[Inflicted]:
        """Yield each fault when everything has recovered from it.

        Args:
            seconds: Duration in seconds. A fault that has begun is completed.
            interval: Seconds between the begins of two faults, unless a recovery takes longer.
        """
        begin = time.monotonic()
        while (at := time.monotonic() - begin) < seconds and not self._world.stop.is_set():
            name, fault = next(
                (name, fault) for name, fault in self._drawn if not fault.replaces_all or at < seconds * _FIRST_PART
            )
            yield self._inflict(name, fault)
            rest = interval - (time.monotonic() - begin - at)
            self._world.wait(max(0.0, min(rest, seconds - (time.monotonic() - begin))))

    def _inflict(self, name: str, fault: Fault) -> Inflicted:
        self._world.hit.clear()
        self._world.note = ""
        begin, problem = time.time(), ""
        self._journal.fault(name, begin, repeats=fault.repeats, fails=fault.fails, everywhere=fault.everywhere)
        try:
            fault.act(self._world)
        except Exception as error:  # noqa: BLE001  # one fault that fails must not end the soak
            problem = f"{name} could not be inflicted: {type(error).__name__}: {error}"
            self._log(traceback.format_exc())
        end = time.time()
        if problem_of_recovery := self._wait_for_recovery(end):
            problem = problem or f"no recovery from {name}: {problem_of_recovery}"
        recovered = time.time()
        # If nothing was hit, nothing is excused.
        pods = frozenset() if fault.everywhere else frozenset(self._world.hit or {"none"})
        excuse = Disturbance(name, begin, recovered, fault.repeats, fault.fails, pods)
        self._log(
            f"{name}{f' ({self._world.note})' if self._world.note else ''}: {end - begin:.1f} s, "
            f"recovered {recovered - end:.1f} s later{f'; {problem}' if problem else ''}"
        )
        inflicted = Inflicted(name, self._world.note, begin, end, recovered, excuse, problem)
        self._journal.recovered(inflicted)
        return inflicted

    def _wait_for_recovery(self, since: float) -> str:
        limit = time.monotonic() + RECOVERY_SECONDS
        while problem := self._recovery(since):
            if time.monotonic() > limit:
                return problem
            # This wait does not end with a stop, because the last fault must be over too.
            time.sleep(_POLL_SECONDS)
        return ""
