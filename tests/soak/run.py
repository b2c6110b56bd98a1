"""Runs one soak: a release under load and faults, and then the judgment of what it did and of how it grew."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e import namespaces
from e2e.cluster import Cluster, eventually
from e2e.release import Release
from soak import final, redis_view
from soak.accounts import ScheduleCounts
from soak.api import Api, administrator
from soak.fault_acts import PATIENT
from soak.faults import FAULTS
from soak.journal import Journal, read_journal
from soak.judgment import make_report
from soak.load import LOAD_PREFIX, Load
from soak.nemesis import Nemesis
from soak.patience import Patience, guarded, in_order
from soak.recorder import ATTEMPTS_FILE, Recorder
from soak.recovery import Expected, ReleaseRecovery
from soak.report import Outcome
from soak.sampler import Sampler
from soak.samples import SAMPLES_FILE
from soak.site import Site
from soak.world import World
from test_cluster.node.layout import Layout
from test_cluster.targets import NodeTarget

NAMESPACE = "soak"
_SCHEDULED_TASKS = f"/apis/financehub.io/v1alpha1/namespaces/{NAMESPACE}/scheduledtasks"
_REGISTERED_SECONDS = 300.0
_STEADY_SECONDS = 600.0
#: The machine may be busy. Helm itself gives up a minute earlier.
_COMMAND_SECONDS = 600.0
#: A check is repeated, so a command that hangs must end soon.
_CHECK_SECONDS = 60.0
_COUNTS_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Setup:
    """What a soak consists of.

    Args:
        minutes: Duration of the faults.
        seed: Decides the faults.
        load: The load.
        interval: Seconds between the begins of two faults.
        only: Names of the faults, or nothing for all of them.
        bugs: Names of bugs to plant, separated by commas.
        keep: Whether the release stays for a look at it.
        attach: Whether the release and the schedules that an earlier soak has kept are used.
    """

    minutes: float
    seed: int
    load: Load
    interval: float = 20.0
    only: tuple[str, ...] = ()
    bugs: str = ""
    keep: bool = False
    attach: bool = False

    def describe(self) -> str:
        """Return the setup in one line."""
        bugs = f", planted bugs {self.bugs}" if self.bugs else ""
        return (
            f"{self.minutes:g} minutes, {self.load.schedules:,} schedules with {self.load.rate:g} messages per second, "
            f"at least {self.load.due_times(self.minutes):,} due times, {self.load.assets:,} assets, "
            f"a fault every {self.interval:g} s, seed {self.seed}{bugs}"
        )


def run_soak(setup: Setup, folder: Path, log: Callable[[str], None]) -> Outcome:
    """Run a soak in the node's cluster, and write its report.

    Args:
        setup: What it consists of.
        folder: Folder of the report, the samples and the attempts. Files of an earlier soak are removed.
        log: Gets a line for each step.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    target = NodeTarget()
    cluster = Cluster(target, _COMMAND_SECONDS)
    journal = Journal(folder)
    journal.setup(setup.describe(), setup.minutes)
    if not setup.attach:
        namespaces.remove_leftovers(cluster)
    values = setup.load.values(NAMESPACE, setup.bugs)
    release, checks = Release(cluster, NAMESPACE, values), Release(Cluster(target, _CHECK_SECONDS), NAMESPACE, values)
    try:
        if not setup.attach:
            log("installing the release")
            release.install(PATIENT)
        site = Site(release, Api(administrator(target.kubeconfig)), checks)
        _Soak(setup, folder, log, site, journal).run()
        return make_report(folder)
    finally:
        if not setup.keep:
            # What cannot be removed must not hide the result.
            guarded("uninstall", release.uninstall, log)
            guarded("namespace", lambda: cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false"), log)


class _Soak:
    """One soak of an installed release. All that it finds goes to the files of its folder."""

    def __init__(self, setup: Setup, folder: Path, log: Callable[[str], None], site: Site, journal: Journal) -> None:
        self._setup = setup
        self._folder = folder
        self._log = log
        self._site = site
        self._journal = journal
        self._patience = Patience()
        self._uids: list[str] = []
        self._since = time.time()
        self._recorder = Recorder(site.redis, folder / ATTEMPTS_FILE)
        self._sampler = Sampler(site, folder / SAMPLES_FILE)

    def run(self) -> None:
        with self._observed():
            in_order(self._work, self._end, self._find)

    def _find(self, finding: str) -> None:
        if finding:
            self._log(finding)
            self._journal.finding(finding)

    def _work(self) -> None:
        uids = self._create()
        before = self._patience.read(lambda: self._counts(uids), _COUNTS_SECONDS)
        self._journal.baseline(before)
        self._uids = uids
        recovery = ReleaseRecovery(self._site, self._recorder, Expected(before))
        self._wait_until_steady(recovery)
        self._since = time.time()
        self._journal.begin()
        self._inflict(recovery)

    def _create(self) -> list[str]:
        """Create the schedules, and wait until all are registered."""
        if self._setup.attach:
            found = self._site.api.pages(_SCHEDULED_TASKS)
            stored = [task for task in found if task["metadata"]["name"].startswith(LOAD_PREFIX)]
        else:
            tasks = list(self._setup.load.tasks())
            self._log(f"creating {len(tasks):,} ScheduledTasks")
            stored = self._site.api.create(_SCHEDULED_TASKS, tasks, lambda count: self._log(f"{count:,} created"))
        uids = [task["metadata"]["uid"] for task in stored]

        def look() -> str:
            known = len(self._counts(uids))
            return "" if known == len(uids) else f"{known} of {len(uids)} schedules are registered"

        if problem := self._patience.until_right(look, _REGISTERED_SECONDS):
            raise AssertionError(problem)
        return uids

    def _counts(self, uids: list[str]) -> list[ScheduleCounts]:
        server = self._site.redis()
        assert server is not None, "the address of Redis is not known"
        return redis_view.schedule_counts(server, uids)

    @contextmanager
    def _observed(self) -> Iterator[None]:
        """Take samples and record attempts during the block."""
        stop = threading.Event()
        threads = [threading.Thread(target=each.run, args=(stop,)) for each in (self._recorder, self._sampler)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def _wait_until_steady(self, recovery: ReleaseRecovery) -> None:
        self._log("waiting until the load is steady")
        since = time.time()
        eventually(lambda: not recovery(since), "all runs that were due have run", _STEADY_SECONDS)
        self._log("waiting until the fleet is healthy")
        if problem := final.wait_for_health(self._site.checks, self._patience):
            self._find(f"before the faults: {problem}")

    def _inflict(self, recovery: ReleaseRecovery) -> None:
        faults = {name: FAULTS[name] for name in self._setup.only} if self._setup.only else FAULTS
        generator = random.Random(self._setup.seed)
        world = World(self._site, Layout(), generator, threading.Event(), journal=self._journal.hit)
        nemesis = Nemesis(world, faults, recovery, self._log, self._journal)
        for _ in nemesis.run(self._setup.minutes * 60, self._setup.interval):
            pass

    def _end(self) -> None:
        """Check health, status and dead letters, stop the schedulers, and read the last counters and attempts."""
        if not self._uids:
            # Without the counters before the faults, there is nothing to balance.
            return
        site, patience = self._site, self._patience
        self._log("waiting for health and for current statuses")
        self._check("health", lambda: final.wait_for_health(site.checks, patience))
        expected = len(self._uids)
        self._check("status", lambda: final.wait_for_statuses(site.api, _SCHEDULED_TASKS, expected, patience))
        self._check("dead letters", self._read_letters)
        self._log("stopping the schedulers")
        stopped_at, problem = final.stop_schedulers(site, patience)
        self._find(problem)
        counts = patience.read(lambda: self._counts(self._uids), _COUNTS_SECONDS)
        self._check("queues", lambda: final.wait_until_drained(site.redis, patience))
        patience.read(self._recorder.read_all, _COUNTS_SECONDS)
        self._journal.end(counts, stopped_at)

    def _check(self, name: str, check: Callable[[], str]) -> None:
        self._find(guarded(name, check, self._find) or "")

    def _read_letters(self) -> str:
        disturbances = [each.disturbance for each in read_journal(self._folder).inflicted]
        count, unexplained = final.dead_letters(self._site, disturbances, self._since, self._patience)
        self._journal.letters(count)
        for finding in unexplained:
            self._find(finding)
        return ""
