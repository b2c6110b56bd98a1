"""Runs a scenario, ends all faults, and checks that nothing was forgotten."""

import logging
import random
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from financehub_scheduler.core import firing
from simulation.events import Event, apply
from simulation.final_checks import Waiting, check_everything_done
from simulation.model import ViolationError
from simulation.wire import Wire
from simulation.world import World


@dataclass(frozen=True, slots=True)
class Result:
    """What a scenario has shown.

    Args:
        steps: Number of commands that Redis has executed for schedulers.
        failure: What is wrong; empty if nothing is.
        seen: Number of each outcome.
    """

    steps: int
    failure: str = ""
    seen: dict[str, int] = field(default_factory=dict)


def turn_off_logs() -> None:
    """Turn off the logs of the product, which would take longer than the simulation."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)


@contextmanager
def _one_schedule_per_script() -> Iterator[None]:
    """Let the scripts of different schedules interleave, unless an event changes the number."""
    before, firing.BATCH = firing.BATCH, 1
    try:
        yield
    finally:
        firing.BATCH = before


def play(wire: Wire, events: Sequence[Event], *, is_cluster: bool) -> Result:
    """Run a scenario from an empty Redis.

    Args:
        wire: Redis.
        events: What happens.
        is_cluster: Whether the source is a cluster instead of a folder.
    """
    wire.reset()
    # redis-py draws the pauses between its attempts.
    state = random.getstate()
    random.seed(0)
    world = World(wire, is_cluster=is_cluster)
    failure = ""
    try:
        with _one_schedule_per_script():
            for event in events:
                apply(world, event)
            check_everything_done(world, heal(world))
    except ViolationError as error:
        failure = str(error)
    except Exception:  # noqa: BLE001 - an error of the product is a failure of the scenario
        failure = traceback.format_exc()
    finally:
        world.dispose()
        random.setstate(state)
    return Result(world.steps, failure, world.oracle.seen)


def heal(world: World) -> Waiting:
    """End all faults, give the schedulers the time to do what is left, and return what waited before the last seconds.

    Args:
        world: The world.
    """
    world.network.is_down = False
    # A process that was told to end does so.
    world.run(1_500_000, "calm", 0)
    if not world.living():
        world.start(0)
    world.worker = (1.0, 0.0, 0.0, 0.2)
    for process in world.living():
        world.cut_off(process.number, cut=False)
        world.freeze(process.number, frozen=False)
        process.clock.skew = world.redis_skew
        world.lag_behind(process.number, 0)
    # The network may hold commands back for ten seconds.
    for milliseconds in (7_000, 4_000, 6_000):
        before = Waiting.of(world.oracle)
        world.oracle.claimed.clear()
        world.run(milliseconds * 1_000, "calm", 0)
        for process in world.living():
            # A watch confirms what it has reported again and again.
            world.notify(process)
            # Claims would be renewed after half a minute.
            process.claim_now()
        world.is_instant = True
    return before
