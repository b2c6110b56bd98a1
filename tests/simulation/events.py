"""The events of a scenario, and how they are drawn from a seed.

An event is a tuple of a name and plain values, so that a scenario can be printed, shortened and pasted into a test.
"""

import random
from collections.abc import Callable
from typing import Any

from financehub_scheduler.core import firing
from financehub_shared.spec.scheduled_task import TRIGGER
from simulation.network import PROFILES
from simulation.specs import edited, random_spec
from simulation.world import START, World

Event = tuple[Any, ...]
#: Names of what the worker may do → see `World.worker`.
WORKERS = {
    "off": (0.0, 0.0, 0.0, 1.0),
    "fast": (1.0, 0.0, 0.0, 0.3),
    "slow": (0.5, 0.1, 0.1, 25.0),
    "failing": (0.8, 0.6, 0.1, 2.0),
    "mixed": (0.6, 0.2, 0.2, 6.0),
}
_MILLISECOND = 1_000


def apply(world: World, event: Event) -> None:
    """Let one event happen."""
    name, *values = event
    _ACTIONS[name](world, *values)


def _skew(world: World, process: int, milliseconds: int) -> None:
    if process in world.processes:
        world.processes[process].clock.skew = world.redis_skew + milliseconds * _MILLISECOND


def _move_redis_clock(world: World, milliseconds: int) -> None:
    world.redis_skew += milliseconds * _MILLISECOND


def _choose_batch(world: World, schedules: int) -> None:
    """Let each script have so many schedules at most."""
    del world
    firing.BATCH = schedules


def _choose_worker(world: World, name: str) -> None:
    world.worker = WORKERS[name]


_ACTIONS: dict[str, Callable[..., None]] = {
    "run": lambda world, milliseconds, profile, seed: world.run(milliseconds * _MILLISECOND, profile, seed),
    "sleep": lambda world, milliseconds: world.sleep(milliseconds * _MILLISECOND),
    "start": World.start,
    "kill": lambda world, process, drop: world.kill(process, drop=bool(drop)),
    "stop": World.stop,
    "freeze": lambda world, process: world.freeze(process, frozen=True),
    "thaw": lambda world, process: world.freeze(process, frozen=False),
    "cut": lambda world, process: world.cut_off(process, cut=True),
    "connect": lambda world, process: world.cut_off(process, cut=False),
    "skew": _skew,
    "redis clock": _move_redis_clock,
    "redis down": lambda world: setattr(world.network, "is_down", True),
    "redis up": lambda world: setattr(world.network, "is_down", False),
    "restart redis": lambda world: world.restart_redis(keep_data=True),
    "lose data": lambda world: world.restart_redis(keep_data=False),
    "replicate": World.replicate,
    "fail over": World.fail_over,
    "lag": lambda world, process, milliseconds: world.lag_behind(process, milliseconds * _MILLISECOND),
    "list": World.list_again,
    "trigger annotation": lambda world, schedule, value: world.annotate(schedule, TRIGGER, value),
    "backfill annotation": World.annotate_backfill,
    "write": World.write,
    "delete": World.delete,
    "pause": World.pause,
    "resume": World.resume,
    "trigger": World.trigger,
    "backfill": World.backfill,
    "work": _choose_worker,
    "batch": _choose_batch,
}


def draw(seed: int, *, extended: bool = False) -> list[Event]:
    """Return the scenario of a seed.

    Args:
        seed: Decides about everything.
        extended: Also draw failovers to a replica that is behind, late views of the source, expired tombstones and
            annotations.
    """
    rng = random.Random(seed)
    processes, schedules = rng.choice((1, 2, 2, 2, 3, 3, 4, 5)), rng.choice((1, 1, 2, 2, 3))
    specs: dict[int, dict[str, Any]] = {}
    now, events = START / 1_000_000, [("work", rng.choice(list(WORKERS)))]
    for number in range(schedules):
        specs[number] = random_spec(rng, number, now)
        events.append(("write", number, specs[number]))
    events += [("start", number) for number in range(processes)]
    events.append(("batch", rng.choice((1, 1, 2, 200))))
    calm = rng.random() < 0.3
    budget = 110_000 // (processes + 1)
    while budget > 0:
        profile = "calm" if calm else rng.choice(list(PROFILES))
        length = rng.choice((50, 300, 1_000, 1_500, 4_000, 8_000))
        events.append(("run", length, profile, rng.randrange(1_000_000)))
        budget, now = budget - length - 300, now + length / 1000
        events += _draw_one(rng, processes, schedules, specs, now, extended=extended)
    return events


def _draw_one(
    rng: random.Random,
    processes: int,
    schedules: int,
    specs: dict[int, dict[str, Any]],
    now: float,
    *,
    extended: bool,
) -> list[Event]:
    process, schedule = rng.randrange(processes), rng.randrange(schedules)
    kinds: list[tuple[float, Any]] = [
        (3, lambda: [("kill", process, rng.randrange(2)), ("start", process)]),
        (2, lambda: [("kill", process, rng.randrange(2))]),
        (1, lambda: [("stop", process)]),
        (4, lambda: [("start", process)]),
        (2, lambda: [("freeze", process)]),
        (3, lambda: [("thaw", process)]),
        (2, lambda: [("cut", process)]),
        (3, lambda: [("connect", process)]),
        (2, lambda: [("sleep", rng.choice((500, 3_000, 9_000, 15_000, 65_000, 130_000, 1_300_000)))]),
        (2, lambda: [("skew", process, rng.choice((-8_000, -3_000, -400, 0, 0, 400, 3_000, 8_000)))]),
        (0.7, lambda: [("redis clock", rng.choice((-30_000, -3_000, 3_000, 30_000)))]),
        (1, lambda: [("redis down",)]),
        (2, lambda: [("redis up",)]),
        (1, lambda: [("restart redis",)]),
        (0.7, lambda: [("lose data",)]),
        (6, lambda: _edit(rng, specs, schedule, now)),
        (2, lambda: _suspend(specs, schedule)),
        (1, lambda: [("write", schedule, None)]),
        (1.5, lambda: [("delete", schedule)]),
        (2, lambda: [("write", schedule, specs[schedule])]),
        (2, lambda: [("pause", schedule)]),
        (3, lambda: [("resume", schedule)]),
        (1.5, lambda: _pause_of_a_moment(rng, process, schedule)),
        (1.5, lambda: _late_deletion(rng, process, schedule, specs)),
        (0.7, lambda: _edit_of_many(rng, specs, schedule)),
        (3, lambda: [("trigger", schedule)]),
        (1.5, lambda: [("backfill", schedule, rng.choice((5, 30, 120)))]),
    ]
    if extended:
        kinds += [
            # Of two values within the seconds by which the views of schedulers differ, one may run again.
            (1, lambda: [("trigger annotation", schedule, "once")]),
            (1.5, lambda: _annotation_before_an_outage(rng, schedule)),
            (1, lambda: [("backfill annotation", schedule, rng.choice((5, 30, 120)))]),
            (1, lambda: [("lag", process, rng.choice((0, 0, 5_000, 20_000, 60_000)))]),
            (0.7, lambda: [("list", process)]),
            (1.5, lambda: _failover(rng, process, schedule, specs, now)),
            (0.5, lambda: [("delete", schedule), ("sleep", 3_700_000), ("write", schedule, specs[schedule])]),
        ]
    kinds.append((2, lambda: [("work", rng.choice(list(WORKERS)))]))
    weights = [weight for weight, _ in kinds]
    (chosen,) = rng.choices([make for _, make in kinds], weights)
    found: list[Event] = chosen()
    return found


def _failover(
    rng: random.Random, process: int, schedule: int, specs: dict[int, dict[str, Any]], now: float
) -> list[Event]:
    """A replica becomes the master that is behind by up to a second, or by several if it was cut off."""
    meanwhile: list[list[Event]] = [
        [],
        [],
        [("delete", schedule)],
        [("pause", schedule)],
        [("resume", schedule)],
        [("trigger", schedule)],
        [("kill", process, 0), ("start", process)],
        _edit(rng, specs, schedule, now),
    ]
    first, second = (
        ("run", rng.choice((50, 300, 1_000, 4_000)), rng.choice(("calm", "lossy")), rng.randrange(1_000_000))
        for _ in range(2)
    )
    # A scheduler that reads the whole source again registers schedules that Redis has in an earlier state.
    after: list[list[Event]] = [[], [("list", process)]]
    return [("replicate",), first, *rng.choice(meanwhile), second, ("fail over",), *rng.choice(after)]


def _pause_of_a_moment(rng: random.Random, process: int, schedule: int) -> list[Event]:
    """A pause that one scheduler does not notice, because it is cut off meanwhile."""
    run = ("run", rng.choice((1_500, 4_000)), "calm", rng.randrange(1_000_000))
    return [("cut", process), ("pause", schedule), run, ("resume", schedule), ("connect", process)]


def _late_deletion(rng: random.Random, process: int, schedule: int, specs: dict[int, dict[str, Any]]) -> list[Event]:
    """A deletion that one scheduler brings to Redis after another one has created the schedule again."""
    begin, end = rng.choice((("freeze", "thaw"), ("cut", "connect")))
    first, second = (("run", rng.choice((1_500, 4_000)), "calm", rng.randrange(1_000_000)) for _ in range(2))
    write = ("write", schedule, specs[schedule])
    return [(begin, process), ("delete", schedule), first, write, second, (end, process)]


def _annotation_before_an_outage(rng: random.Random, schedule: int) -> list[Event]:
    """An annotation that is registered before Redis fails, and has to be carried out after that."""
    # A scheduler reads a change after 1 ms, 200 ms or more, and carries annotations out each second.
    first, second = (
        ("run", rng.choice(lengths), "calm", rng.randrange(1_000_000)) for lengths in ((250, 500), (2_000,))
    )
    return [("trigger annotation", schedule, "once"), first, ("redis down",), second, ("redis up",)]


def _edit(rng: random.Random, specs: dict[int, dict[str, Any]], schedule: int, now: float) -> list[Event]:
    specs[schedule] = edited(rng, specs[schedule], schedule, now)
    return [("write", schedule, specs[schedule])]


def _edit_of_many(rng: random.Random, specs: dict[int, dict[str, Any]], schedule: int) -> list[Event]:
    """An edit while more due times wait for their jitter than one catch-up starts."""
    before = {"schedule": "@every 1s", "concurrencyPolicy": "Allow", "catchUp": "All", "jitterSeconds": 600}
    specs[schedule] = before | {"jitterSeconds": rng.choice((0, 3, 300))}
    run = ("run", 4_000, "calm", rng.randrange(1_000_000))
    return [
        ("write", schedule, before),
        run,
        ("sleep", rng.choice((90_000, 250_000))),
        ("write", schedule, specs[schedule]),
    ]


def _suspend(specs: dict[int, dict[str, Any]], schedule: int) -> list[Event]:
    before = specs[schedule]
    if before.get("suspend"):
        specs[schedule] = {name: value for name, value in before.items() if name != "suspend"}
    else:
        specs[schedule] = before | {"suspend": True}
    return [("write", schedule, specs[schedule])]
