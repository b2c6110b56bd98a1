"""Runs one history: processes under load and faults for some time, and then the check of what they recorded."""

import json
import math
import random
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from history import faults
from history.checker import Verdict, check
from history.checker.index import index
from history.events import Recorder, read_events
from history.final_state import read_final_state, write
from history.fleet import HEARTBEAT_SECONDS, JANITOR_SECONDS, Fleet
from history.lab import Lab
from history.nemesis import Nemesis
from history.plan import MAX_DELIVERIES, QUEUE
from history.servers import Storage
from history.world import World
from support.waiting import eventually

#: Seconds within which the backlog must become smaller: a heartbeat timeout, a recovery, and a busy machine.
_SETTLE_SECONDS = 120.0
_SETTINGS = {
    "FINANCEHUB_MAX_DELIVERIES": str(MAX_DELIVERIES),
    "LOG_LEVEL": "WARNING",
}


@dataclass(frozen=True, slots=True)
class Setup:
    """What one history consists of.

    Args:
        seed: Decides the faults and the messages.
        seconds: Duration of load and faults.
        sentinel: Whether Redis is a master with two replicas and three Sentinels.
        always: Whether `appendfsync` is `always`; otherwise it is `everysec`.
        workers: Number of workers.
        producers: Number of producers.
        rate: Messages per second of each producer.
        pause: Mean of the seconds between the beginnings of two faults.
        bug: Name of a planted bug, or empty.
        only: Names of the faults, or nothing for all of them.
        server: `6.2`, `7.0` or `valkey`, or None for the server of `make run`.
    """

    seed: int
    seconds: float
    sentinel: bool = False
    always: bool = True
    workers: int = 4
    producers: int = 2
    rate: float = 40.0
    pause: float = 3.0
    bug: str = ""
    only: tuple[str, ...] = ()
    server: str | None = None

    def describe(self) -> str:
        """Return the setup in one line."""
        storage = "master, two replicas, three Sentinels" if self.sentinel else "one server"
        fsync = "always" if self.always else "everysec"
        bug = f", planted bug {self.bug}" if self.bug else ""
        return f"seed {self.seed}: {storage}, appendfsync {fsync}, {self.workers} workers, {self.seconds:.0f} s{bug}"


@dataclass(slots=True)
class Outcome:
    """What one history showed.

    Args:
        setup: Its setup.
        verdict: The result of the check.
        faults: Name of a fault → how often it was inflicted.
        folder: Folder with the events and logs, or None if it was removed.
    """

    setup: Setup
    verdict: Verdict
    faults: Counter[str] = field(default_factory=Counter)
    folder: Path | None = None


def run_history(setup: Setup, *, keep: bool = False) -> Outcome:
    """Run a history and check it.

    Args:
        setup: What it consists of.
        keep: Whether to keep the folder of the events even if nothing is wrong.
    """
    # The path of a Unix socket is limited to about 100 characters, so this is not the folder of a test.
    folder = Path(tempfile.mkdtemp(prefix="fhh-"))
    counts = _record(setup, folder)
    events = read_events(folder.glob("*.events"))
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    verdict = check(events, state)
    outcome = Outcome(setup, verdict, counts, folder)
    if not verdict.violations and not keep:
        shutil.rmtree(folder)
        outcome.folder = None
    return outcome


def _record(setup: Setup, folder: Path) -> Counter[str]:
    workers = [f"worker-{number}" for number in range(1, setup.workers + 1)]
    producers = [f"producer-{number}" for number in range(1, setup.producers + 1)]
    schedulers = ["scheduler-1", "scheduler-2"]
    servers = ("redis-1", "redis-2", "redis-3") if setup.sentinel else ("redis-1",)
    sentinels = ("sentinel-1", "sentinel-2", "sentinel-3") if setup.sentinel else ()
    recorder = Recorder(folder, "controller")
    with Lab([*servers, *sentinels, *workers, *producers, *schedulers]) as lab:
        fsync = ("--appendfsync", "always" if setup.always else "everysec")
        storage = Storage(lab, folder, servers, sentinels, fsync, setup.server)
        settings = {**_SETTINGS, "HISTORY_RATE": str(setup.rate), "HISTORY_SEED": str(setup.seed)}
        if setup.bug:
            settings["HISTORY_BUG"] = setup.bug
        fleet = Fleet(lab, folder, storage.url, recorder, settings)
        generator = random.Random(setup.seed)
        world = World(lab, storage, fleet, recorder, generator, workers, producers, schedulers, setup.always)
        try:
            storage.start()
            for node in (*schedulers, *workers, *producers):
                fleet.start(node)
            _wait_for_runs(folder, workers)
            table = {**faults.COMMON, **(faults.REPLICATED if setup.sentinel else faults.SINGLE)}
            chosen = {name: table[name] for name in setup.only} if setup.only else table
            nemesis = Nemesis(world, chosen, setup.pause)
            nemesis.run(setup.seconds)
            _settle(world, folder)
            world.record_failovers()
            messages = index(read_events(folder.glob("*.events"))).deliveries.values()
            ids = list(dict.fromkeys(each.message for each in messages))
            write(read_final_state(storage.master().client(60), ids), folder / "state.json")
            return Counter(nemesis.counts)
        finally:
            fleet.stop()
            storage.stop()


def _wait_for_runs(folder: Path, workers: list[str]) -> None:
    def run_everywhere() -> bool:
        found = {file.name.partition(".")[0] for file in folder.glob("worker-*.events") if " end " in file.read_text()}
        return found == set(workers)

    eventually(run_everywhere, "every worker runs messages", 120, poll_seconds=0.2)


def _settle(world: World, folder: Path) -> None:
    """Stop sending, wait until everything has been processed, and end the processes."""
    world.storage.wait_until_healthy()
    for node in world.producers:
        _end(world, node)
    limit, least, empty = time.monotonic() + _SETTLE_SECONDS, math.inf, 0
    while empty < 3 and time.monotonic() < limit:
        world.fleet.revive()
        size = _backlog(world)
        if size < least:
            limit, least = time.monotonic() + _SETTLE_SECONDS, size
        empty = 0 if size else empty + 1
        time.sleep(0.3)
    # Short periods in which a message is in no queue do not count, because the workers end everything that they hold.
    for node in (*world.workers, *world.schedulers):
        _end(world, node)


def _end(world: World, node: str) -> None:
    since = world.fleet.begin_end(node)
    eventually(lambda: world.fleet.has_ended(node, since), f"{node} ends", 90)


def _backlog(world: World) -> float:
    """Return the number of messages in the queues, or infinity if Redis does not answer."""
    try:
        client = world.storage.master().client()
        sizes: list[Any] = [client.hlen(f"dramatiq:{queue}.msgs") for queue in (QUEUE, f"{QUEUE}.DQ")]
    except redis.RedisError:
        return math.inf
    return float(sum(sizes))


assert (HEARTBEAT_SECONDS, JANITOR_SECONDS) == (10, 1), "the promises of the checker must agree"
