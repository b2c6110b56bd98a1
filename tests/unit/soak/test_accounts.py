"""The account of a soak accepts what is promised, and finds each kind of broken promise."""

from dataclasses import replace

import pytest

from soak.accounts import (
    Account,
    Attempt,
    Disturbance,
    ScheduleCounts,
    balance,
    check_repeats,
    due_times,
    run_id,
)
from support.schedules import schedule

_UIDS = ["1b4e28ba-2fa1-11d2-883f-0016d3cca427", "1b4e28ba-2fa1-11d2-883f-0016d3cca428"]
_PERIOD = 200
_OFFSETS = {_UIDS[0]: 3.0, _UIDS[1]: 150.0}
_BEFORE = [ScheduleCounts(uid, 1_000.0, 4) for uid in _UIDS]
_AFTER = [ScheduleCounts(uid, 2_000.0, 9) for uid in _UIDS]
_ATTEMPTS = [
    Attempt(run_id(uid, due), due + _OFFSETS[uid] + 0.01, "research-a")
    for uid in _UIDS
    for due in due_times(1_000, 2_000, _PERIOD)
]
_KILL = Disturbance("worker killed", 1_300.0, 1_320.0, repeats=True, pods=frozenset({"research-a"}))


def check(
    *,
    before: list[ScheduleCounts] = _BEFORE,
    after: list[ScheduleCounts] = _AFTER,
    attempts: list[Attempt] = _ATTEMPTS,
    disturbances: tuple[Disturbance, ...] = (_KILL,),
    stopped_at: float | None = 2_155.0,
) -> Account:
    """Return the account of a soak in which something differs from a good one."""
    options = {"period": _PERIOD, "offsets": _OFFSETS, "stopped_at": stopped_at}
    return balance(before, after, attempts, disturbances, **options)  # type: ignore[arg-type]


def rules(account: Account) -> list[str]:
    """Return the rules that are broken."""
    return [finding.partition(":")[0] for finding in account.findings]


def test_soak_as_promised_has_no_findings() -> None:
    """Every due time was enqueued once and ran once."""
    account = check()
    assert account.findings == []
    assert account.counts == {
        "schedules": 2,
        "due times": 10,
        "enqueued": 10,
        "runs": 10,
        "attempts": 10,
        "missed": 0,
        "skipped": 0,
    }


def test_ids_are_those_of_the_scheduler() -> None:
    """The expected ids are computed without the scheduler, which derives the same ones."""
    assert run_id(_UIDS[0], 1_200) == schedule(uid=_UIDS[0]).message_id("1200000")


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        (replace(_AFTER[0], runs=10), "enqueued twice"),
        (replace(_AFTER[0], runs=8), "unaccounted"),
        (replace(_AFTER[0], runs=8, missed=1), "missed"),
        (replace(_AFTER[0], runs=8, skipped=1), "skipped"),
        (replace(_AFTER[0], mark=1_800.0, runs=8), "forgotten"),
    ],
)
def test_wrong_counters_of_a_schedule_are_found(changed: ScheduleCounts, rule: str) -> None:
    """A due time that was enqueued twice, given up, not counted or not reached is a finding."""
    assert rule in rules(check(after=[changed, _AFTER[1]]))


def test_due_time_that_is_not_over_yet_is_not_forgotten() -> None:
    """A due time whose jitter ends just before the schedulers stop may be unsettled."""
    after = [_AFTER[0], replace(_AFTER[1], mark=1_800.0, runs=8)]
    account = check(after=after, attempts=_ATTEMPTS[:-1], stopped_at=2_155.0)
    assert account.findings == []


def test_lost_run_is_found() -> None:
    """A run that was enqueued and that no task recorded is a finding."""
    assert rules(check(attempts=_ATTEMPTS[1:])) == ["lost"]


def test_lost_schedule_is_found() -> None:
    """A schedule that is not registered any more is a finding, and so are its runs."""
    assert rules(check(after=_AFTER[1:]))[0] == "gone"


def test_run_before_its_time_is_found() -> None:
    """The jitter counts too."""
    early = replace(_ATTEMPTS[-1], at=2_000.0 + 149.0)
    assert rules(check(attempts=[*_ATTEMPTS[:-1], early])) == ["early"]


def test_run_of_no_due_time_is_found() -> None:
    """An id that follows from no due time is a finding."""
    assert rules(check(attempts=[*_ATTEMPTS, Attempt(run_id(_UIDS[0], 1_250), 1_300, "research-a")])) == ["unknown run"]


def test_runs_before_the_baseline_do_not_count() -> None:
    """Runs that were enqueued before the first reading are known, and are not findings."""
    assert check(attempts=[*_ATTEMPTS, Attempt(run_id(_UIDS[0], 1_000), 1_004, "research-a")]).findings == []


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        (_KILL, []),
        (replace(_KILL, pods=frozenset()), []),
        (replace(_KILL, pods=frozenset({"research-b"})), []),
        (replace(_KILL, pods=frozenset({"research-c"})), ["run twice"]),
        (replace(_KILL, repeats=False), ["run twice"]),
        (replace(_KILL, begin=1_900.0, end=1_950.0), ["run twice"]),
        (replace(_KILL, begin=1_000.0, end=1_100.0), ["run twice"]),
    ],
)
def test_repeated_run_needs_a_fault_of_its_worker(fault: Disturbance, rule: list[str]) -> None:
    """A run may repeat only if one of its workers was hit, at that time, by a fault that may repeat runs."""
    # The run was due at 1,200 and started before the fault.
    first = replace(_ATTEMPTS[0], at=1_299.5)
    again = replace(first, at=1_312.0, pod="research-b")
    account = check(attempts=[first, *_ATTEMPTS[1:], again], disturbances=(fault,))
    assert rules(account) == rule
    assert account.repeated.total() == (0 if rule else 1)


def test_balance_with_running_schedulers_counts_up_to_the_reading() -> None:
    """If the schedulers could not be stopped, later due times are neither forgotten nor unknown, but a loss shows."""
    later = [Attempt(run_id(uid, 2_200), 2_200 + _OFFSETS[uid], "research-a") for uid in _UIDS]
    assert check(attempts=[*_ATTEMPTS, *later], stopped_at=None).findings == []
    assert rules(check(attempts=[*_ATTEMPTS[1:], *later], stopped_at=None)) == ["lost"]
    assert "unknown run" in rules(check(attempts=[*_ATTEMPTS, *later]))


def test_repeats_are_checked_without_counters() -> None:
    """A soak that was killed has no counters of its end, but its attempts and its faults are known."""
    again = replace(_ATTEMPTS[0], at=1_312.0, pod="research-b")
    first = replace(_ATTEMPTS[0], at=1_299.5)
    attempts = [first, *_ATTEMPTS[1:], again]
    assert check_repeats(attempts, [_KILL]).findings == []
    assert rules(check_repeats(attempts, [])) == ["run twice"]
