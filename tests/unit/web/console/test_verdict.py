"""The answer whether everything is all right: its sentence, its mark and the word of the header."""

from dataclasses import replace

import pytest

from financehub_shared.health.report import HealthCheck, HealthReport, HealthStatus
from financehub_shared.redis.schedule_record import ScheduleOutcome
from financehub_shared.schedules import Pause, ScheduleInfo
from financehub_web.console.attention import Attention, TroubledSchedule, attention_of
from financehub_web.console.verdict import unavailable, verdict_of
from support.health import queue
from support.schedules import registered

T = 1_800_000_000.0
OK, DEGRADED, DOWN = HealthStatus.OK, HealthStatus.DEGRADED, HealthStatus.DOWN
FINE = replace(registered(), next_times=(T + 30,), claimed_at=T)
FAILED = replace(FINE, outcome=ScheduleOutcome(last_run_outcome="dead-lettered", last_run_error="ValueError: no"))


def _report(*statuses: HealthStatus) -> HealthReport:
    return HealthReport.of([HealthCheck(f"check-{status}", status, f"it is {status}") for status in (OK, *statuses)], T)


@pytest.mark.parametrize(
    ("statuses", "schedules", "letters", "sentence", "header"),
    [
        ((), 0, 0, "Everything is all right.", "✓ All right"),
        ((), 1, 0, "One schedule needs attention.", "▲ Needs attention"),
        ((), 2, 0, "2 schedules need attention.", "▲ Needs attention"),
        ((), 0, 1, "One dead letter needs attention.", "▲ Needs attention"),
        ((), 0, 1_200, "1,200 dead letters need attention.", "▲ Needs attention"),
        ((), 1, 1, "One schedule and one dead letter need attention.", "▲ Needs attention"),
        ((DEGRADED,), 0, 0, "One thing needs attention.", "▲ Degraded"),
        ((DEGRADED, DEGRADED), 0, 0, "2 things need attention.", "▲ Degraded"),
        ((DEGRADED,), 3, 0, "One problem and 3 schedules need attention.", "▲ Degraded"),
        ((DEGRADED,) * 2, 1, 4, "2 problems, one schedule and 4 dead letters need attention.", "▲ Degraded"),
        ((DOWN,), 0, 0, "FinanceHub is down.", "✗ Down"),
        ((DOWN, DEGRADED), 2, 3, "FinanceHub is down.", "✗ Down"),
    ],
)
def test_verdict_says_in_one_sentence_what_needs_attention(
    statuses: tuple[HealthStatus, ...], schedules: int, letters: int, sentence: str, header: str
) -> None:
    """Only a fleet without anything to look at is all right. What a person should look at is never an outage."""
    verdict = verdict_of(_report(*statuses), Attention([TroubledSchedule(FINE, ["it is late"])] * schedules, letters))
    assert verdict.sentence == sentence
    assert f"{verdict.mark} {verdict.word}" == header
    assert verdict.is_all_right == (sentence == "Everything is all right.")
    assert [reason for _, reason in verdict.reasons] == [f"it is {status}" for status in statuses]
    assert {"✓": OK, "▲": DEGRADED, "✗": DOWN}[verdict.mark] is verdict.tone


def test_verdict_without_redis_is_an_outage_with_its_reason() -> None:
    """If Redis does not answer, nothing else is known."""
    verdict = unavailable("it does not answer", T)
    assert verdict.sentence == "FinanceHub is down, because Redis does not answer."
    assert f"{verdict.mark} {verdict.word}" == "✗ Down"
    assert verdict.reasons == [("redis", "it does not answer")]
    assert not verdict.is_all_right


@pytest.mark.parametrize(
    ("info", "reasons"),
    [
        (FINE, []),
        (replace(FINE, outcome=ScheduleOutcome(last_run_outcome="succeeded")), []),
        (FAILED, ["its last run failed: ValueError: no"]),
        (replace(FINE, outcome=ScheduleOutcome(last_run_outcome="lost")), ["its last run failed"]),
        (replace(FINE, problem="its arguments are refused"), ["its arguments are refused"]),
        (replace(FINE, next_times=(T - 120,)), ["its next run is late"]),
        (replace(FINE, claimed_at=T - 1_000), ["no live scheduler runs it"]),
        (
            replace(FAILED, next_times=(T - 120,), claimed_at=T - 1_000),
            ["its next run is late", "no live scheduler runs it", "its last run failed: ValueError: no"],
        ),
        (
            replace(FAILED, problem="its arguments are refused"),
            ["its arguments are refused", "its last run failed: ValueError: no"],
        ),
        (replace(FINE, paused=Pause("alice", "maintenance", T)), []),
        (
            replace(FINE, paused=Pause("financehub", "3 runs in a row failed", T, failures=3)),
            ["paused after failures: 3 runs in a row failed"],
        ),
    ],
)
def test_schedule_needs_attention_if_it_failed_is_late_or_does_not_run(info: ScheduleInfo, reasons: list[str]) -> None:
    """All reasons are given, lateness first. A schedule whose last run succeeded and which is not late needs none."""
    assert attention_of([info], [], T).schedules == ([TroubledSchedule(info, reasons)] if reasons else [])


def test_dead_letters_of_all_queues_need_attention() -> None:
    """Messages that wait or are delayed do not count."""
    queues = [queue("high", dead=2), queue("low", dead=1, delayed=5)]
    assert attention_of([], queues, T) == Attention([], 3)
