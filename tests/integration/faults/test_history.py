"""Short histories of the message path, as `make history` runs them for longer. docs/correctness.md has the promises."""

import pytest

from history.run import Setup, run_history

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]


@pytest.mark.parametrize(
    ("seed", "sentinel", "fault"),
    [(22, False, "worker killed"), (17, True, "master killed")],
    ids=["one server", "Sentinels"],
)
def test_history_under_faults_keeps_every_promise(seed: int, sentinel: bool, fault: str) -> None:
    """Real processes under kills, pauses, partitions, slow links and a full Redis neither lose nor double anything.

    With Sentinels, the master is replaced as well, and what replication loses by design is excused.
    """
    outcome = run_history(Setup(seed, seconds=12, sentinel=sentinel, workers=3, pause=2.0))
    assert outcome.verdict.counts["messages confirmed"] >= 300, outcome
    assert outcome.faults[fault] >= 1, outcome.faults
    assert outcome.verdict.counts["rounds of the janitor"] >= 20, outcome  # two schedulers, one round a second each
    assert outcome.verdict.violations == [], outcome.folder


def test_history_with_a_planted_bug_is_refused() -> None:
    """A janitor that takes messages back and forgets them is found, so the check can fail."""
    setup = Setup(seed=18, seconds=8, workers=2, pause=2.0, only=("worker killed",), bug="reclaim-loses")
    assert "lost" in run_history(setup).verdict.rules()
