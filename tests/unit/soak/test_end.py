"""What a soak looks at while it runs and at its end: expected runs, statuses, dead letters, processes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from soak.accounts import Disturbance, ScheduleCounts, due_times, run_id
from soak.final import STATUS_SECONDS, outdated_statuses, unexplained
from soak.load import PERIOD_SECONDS, Load, offset_of
from soak.processes import find_processes, measure
from soak.recovery import Expected

_UIDS = [f"1b4e28ba-2fa1-11d2-883f-0016d3cca4{number:02}" for number in range(50)]
_NOW = 1_700_000_000.0
_POD, _CONTAINER = "0f2d7d4e-5d3e-4c21-9f0e-1f2a3b4c5d6e", "c" * 64


def test_expected_runs_come_once_and_at_their_time() -> None:
    """Each due time after the newest settled one is expected once, when its jitter is over, however often one asks."""
    marks = {uid: _NOW + 7 * number for number, uid in enumerate(_UIDS)}
    expected = Expected([ScheduleCounts(uid, mark, 0) for uid, mark in marks.items()])
    found = [run for second in range(0, 3 * PERIOD_SECONDS + 1, 7) for run in expected.next(_NOW + second)]
    found += expected.next(_NOW + 3 * PERIOD_SECONDS)
    wanted = {
        run_id(uid, due)
        for uid in _UIDS
        for due in due_times(marks[uid], _NOW + 3 * PERIOD_SECONDS - offset_of(uid), PERIOD_SECONDS)
    }
    assert len(found) == len(set(found)) > len(_UIDS)
    assert set(found) == wanted


def test_load_is_spread_over_the_period() -> None:
    """The rate sets the number of schedules, whose jitter fills the period."""
    load = Load(rate=2.5)
    assert len(list(load.tasks())) == load.schedules == 500
    assert {task["spec"]["jitterSeconds"] for task in load.tasks()} == {PERIOD_SECONDS - 1}
    assets = load.values("soak")["assets"]
    assert [len([each for each in assets if each["type"] == kind]) for kind in ("crypto", "stock")] == [200, 800]


def _task(uid: str, last: float | None, created: float = 0.0) -> dict[str, Any]:
    status = {} if last is None else {"lastScheduleTime": _text(last)}
    return {"metadata": {"name": uid, "uid": uid, "creationTimestamp": _text(created)}, "status": status}


def _text(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_status_is_outdated_if_it_misses_a_due_time() -> None:
    """The newest due time whose jitter was over a minute ago must be shown; later ones need not be."""
    uid = _UIDS[0]
    over = _NOW - STATUS_SECONDS - offset_of(uid)
    newest = due_times(over - PERIOD_SECONDS, over, PERIOD_SECONDS)[-1]
    assert outdated_statuses([_task(uid, newest), _task(uid, newest + PERIOD_SECONDS)], _NOW) == []
    assert outdated_statuses([_task(uid, newest - PERIOD_SECONDS), _task(uid, None)], _NOW) == [uid, uid]


def test_status_without_a_run_is_outdated_only_if_one_was_due_since_the_creation() -> None:
    """A schedule that was created after its newest due time has not run it, even if its jitter was not over."""
    uid = _UIDS[0]
    over = _NOW - STATUS_SECONDS - offset_of(uid)
    newest = due_times(over - PERIOD_SECONDS, over, PERIOD_SECONDS)[-1]
    tasks = [_task(uid, None, created=newest + seconds) for seconds in (-1, 0, 1)]
    assert [bool(outdated_statuses([task], _NOW)) for task in tasks] == [True, False, False]


@pytest.mark.parametrize(
    ("at", "task", "findings"),
    [
        (_NOW + 30, "fetch_news_task", 0),
        (_NOW + 300, "fetch_news_task", 0),
        (_NOW + 400, "fetch_news_task", 1),
        (_NOW - 1, "fetch_news_task", 1),
        (_NOW + 30, "record_attempt", 1),
    ],
)
def test_dead_letter_needs_a_fault_of_its_upstream(at: float, task: str, findings: int) -> None:
    """Tasks may fail while upstreams fail and until their retries are over. The task that records never fails."""
    faults = [Disturbance("all upstreams are slow", _NOW, _NOW + 20, fails=True), Disturbance("kubelet", 0, 2 * _NOW)]
    assert len(unexplained([(at, task, "text")], faults, _NOW)) == findings


def _write_process(proc: Path, pid: int, *, cgroup: str, comm: str = "python", inside: str = "1") -> None:
    folder = proc / str(pid)
    (folder / "fd").mkdir(parents=True)
    (folder / "cgroup").write_text(f"4:memory:{cgroup}\n3:cpu:{cgroup}\n")
    (folder / "comm").write_text(f"{comm}\n")
    (folder / "status").write_text(f"Name:\t{comm}\nState:\tS (sleeping)\nNSpid:\t{pid}\t{inside}\nThreads:\t7\n")
    (folder / "stat").write_text(f"{pid} (a ) b) S {' '.join(['0'] * 18)} 4711 0 0\n")
    (folder / "smaps_rollup").write_text("00400000-7fff ---p [rollup]\nRss:  2048 kB\nPss:   1024 kB\n")
    for number, target in enumerate(("/dev/null", "socket:[17]", "socket:[18]")):
        (folder / "fd" / str(number)).symlink_to(target)


def test_processes_of_pods_are_found_and_measured(tmp_path: Path) -> None:
    """Processes outside of pods, and those that only hold the network of a pod, are left out."""
    ours = f"/kubepods/burstable/pod{_POD}/{_CONTAINER}"
    _write_process(tmp_path, 41, cgroup=ours)
    _write_process(tmp_path, 42, cgroup=ours, inside="8")
    _write_process(tmp_path, 43, cgroup=ours, comm="pause")
    _write_process(tmp_path, 44, cgroup="/user.slice")
    main, child = sorted(find_processes(tmp_path), key=lambda each: each.pid)
    assert (main.pod_uid, main.container, main.is_main, main.started) == (_POD, _CONTAINER, True, 4711)
    assert not child.is_main
    sample = measure(main, "high", "high-a", tmp_path)
    assert sample is not None
    assert (sample.role, sample.rss, sample.pss) == ("main", 2 << 20, 1 << 20)
    assert (sample.descriptors, sample.sockets, sample.threads) == (3, 2, 7)


def test_process_that_was_replaced_is_not_measured(tmp_path: Path) -> None:
    """Another process may have the same id by now."""
    _write_process(tmp_path, 41, cgroup=f"/kubepods/pod{_POD}/{_CONTAINER}")
    (main,) = find_processes(tmp_path)
    (tmp_path / "41" / "stat").write_text(f"41 (python) S {' '.join(['0'] * 18)} 9999 0 0\n")
    assert measure(main, "high", "high-a", tmp_path) is None
