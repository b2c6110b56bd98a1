"""Faults are drawn from a seed, each kind equally often, and a fault that fails is a finding and not the end."""

import random
import tempfile
import threading
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from soak.fault_acts import hit_those_that_end
from soak.faults import FAULTS, Fault
from soak.inflicted import Inflicted
from soak.journal import Journal, read_journal
from soak.nemesis import Nemesis, draw
from soak.site import Pod
from soak.world import World
from test_cluster.node.layout import Layout


def world(seed: int = 1) -> World:
    """Return a world for faults that need no cluster."""
    no_site: Any = None
    return World(no_site, Layout(), random.Random(seed), threading.Event())


def run(faults: dict[str, Fault], seconds: float, problem: str = "") -> list[Inflicted]:
    """Inflict faults, each of which recovers at once or has a problem."""
    with tempfile.TemporaryDirectory() as folder:
        nemesis = Nemesis(world(), faults, lambda _: problem, lambda _: None, Journal(Path(folder)))
        done = list(nemesis.run(seconds, interval=0.01))
        assert read_journal(Path(folder)).inflicted == done
        return done


def test_draw_yields_each_kind_before_it_repeats_one() -> None:
    """A soak of an hour has every kind several times, and a short one has as many kinds as faults."""
    drawn = [name for name, _ in islice(draw(FAULTS, random.Random(3)), 2 * len(FAULTS))]
    assert set(drawn[: len(FAULTS)]) == set(drawn[len(FAULTS) :]) == set(FAULTS)


def test_draw_with_the_same_seed_repeats_the_order() -> None:
    """A soak can be run again."""
    first, again, other = ([name for name, _ in islice(draw(FAULTS, random.Random(n)), 60)] for n in (5, 5, 6))
    assert first == again != other


def test_fault_that_raises_is_a_finding_and_excuses_nothing() -> None:
    """The other faults follow, and the failed one has hit no pod."""

    def fails(_: World) -> None:
        raise RuntimeError("no such pod")

    done = run({"broken": Fault(fails, repeats=True), "fine": Fault(lambda _: None)}, 0.1)
    assert {each.name for each in done} == {"broken", "fine"}
    broken = next(each for each in done if each.name == "broken")
    assert "no such pod" in broken.problem
    assert broken.disturbance.pods == {"none"}


def test_fault_excuses_only_the_pods_that_it_hit() -> None:
    """The pods of one fault do not count for the next one, and a fault that hits everything names none."""

    def hits(world: World) -> None:
        world.hits("high-a")

    done = run({"one": Fault(hits, repeats=True), "all": Fault(hits, repeats=True, everywhere=True)}, 0.1)
    assert {each.name: each.disturbance.pods for each in done} == {"one": {"high-a"}, "all": frozenset()}


def test_faults_that_replace_everything_come_only_in_the_first_third() -> None:
    """Afterwards, the oldest processes live through all other faults."""
    faults = {"rollout": Fault(lambda _: None, replaces_all=True), "other": Fault(lambda _: None)}
    done = run(faults, 0.9)
    begin = done[0].begin
    late = [each.name for each in done if each.begin - begin > 0.31]
    assert "rollout" in {each.name for each in done}
    assert late
    assert set(late) == {"other"}


def test_interrupted_fault_stays_in_the_journal_with_the_pods_that_it_hit(tmp_path: Path) -> None:
    """An interrupt or a killed program leaves the fault without an end, and it excuses only what it had hit so far."""
    journal = Journal(tmp_path)
    hit = World(None, Layout(), random.Random(1), threading.Event(), journal=journal.hit)  # type: ignore[arg-type]

    def interrupted(world: World) -> None:
        world.hits("high-a")
        raise KeyboardInterrupt

    faults = {"one": Fault(interrupted, repeats=True)}
    with pytest.raises(KeyboardInterrupt):
        list(Nemesis(hit, faults, lambda _: "", lambda _: None, journal).run(1, interval=0.01))
    (inflicted,) = read_journal(tmp_path).inflicted
    assert inflicted.disturbance.pods == {"high-a"}
    assert inflicted.disturbance.repeats
    assert inflicted.disturbance.end == float("inf")
    assert inflicted.problem == "one was not over when the soak was ended"


def test_scaling_and_rollout_hit_only_pods_that_end() -> None:
    """A pod that is being deleted and one that is gone are hit. The others and new ones are not."""
    pods = [
        Pod(name, name, "research", "", "", ready=name == "stays", containers=frozenset(), ending=name == "ends")
        for name in ("stays", "not-ready", "ends", "new")
    ]
    site: Any = SimpleNamespace(refresh=lambda: pods)
    fault_world = World(site, Layout(), random.Random(1), threading.Event())
    assert hit_those_that_end(fault_world, {"stays", "not-ready", "ends", "gone"}) == {"ends", "gone"}
    assert fault_world.hit == {"ends", "gone"}
