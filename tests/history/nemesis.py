"""Damages a world: draws faults, begins them, and ends them."""

import time
from collections.abc import Callable

from history.world import Fault, World


class Nemesis:
    """Damages a world for some time.

    Args:
        world: What it acts on.
        faults: Name → fault and its weight.
        pause: Mean of the seconds between the beginnings of two faults.
    """

    def __init__(self, world: World, faults: dict[str, tuple[Callable[[World], Fault], float]], pause: float) -> None:
        self._world = world
        self._faults = faults
        self._pause = pause
        self._active: list[tuple[float, Fault]] = []
        #: Name → number of faults.
        self.counts: dict[str, int] = {}

    def run(self, seconds: float) -> None:
        """Inflict faults for some time, and wait until the last one has ended."""
        generator = self._world.random
        end = begin_next = time.monotonic()
        end += seconds
        while self._active or time.monotonic() < end:
            self._world.fleet.revive()
            now = time.monotonic()
            if begin_next <= now < end:
                begin_next = now + generator.expovariate(1 / self._pause)
                names, weights = list(self._faults), [weight for _, weight in self._faults.values()]
                (name,) = generator.choices(names, weights)
                fault = self._faults[name][0](self._world)
                first = next(fault, None)
                if first is not None:
                    self.counts[name] = self.counts.get(name, 0) + 1
                    self._active.append((now + first, fault))
            self._active = [(at, fault) for at, fault in map(self._advance, self._active) if at >= 0]
            time.sleep(0.02)

    @staticmethod
    def _advance(entry: tuple[float, Fault]) -> tuple[float, Fault]:
        at, fault = entry
        if time.monotonic() < at:
            return entry
        pause = next(fault, None)
        return (-1.0 if pause is None else time.monotonic() + pause, fault)
