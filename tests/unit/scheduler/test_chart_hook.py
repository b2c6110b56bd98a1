"""chart_hook: which failures of the API server a hook repeats, and for how long."""

import pytest

from financehub_scheduler.chart_hook import CONFLICT_SECONDS, LIMIT_SECONDS, OUTAGE_SECONDS, until_done
from financehub_scheduler.kubernetes.client.api import ApiError, ApiUnreachableError
from financehub_shared.core.clock import ManualClock

Failure = ApiError | ApiUnreachableError
_LOST = ApiUnreachableError("GET /x: TimeoutError")
_REPEATED: list[tuple[Failure, float]] = [
    (_LOST, OUTAGE_SECONDS),
    (ApiError(409, "Conflict", "changed"), CONFLICT_SECONDS),
    *((ApiError(status, "", "busy"), OUTAGE_SECONDS) for status in (429, 500, 502, 503, 504)),
]
_REFUSALS = [ApiError(status, "", "no") for status in (400, 401, 403, 404, 405, 413, 415, 422)]


class _Attempt:
    """An attempt that fails a number of times and then succeeds."""

    def __init__(self, error: Failure, failures: int) -> None:
        self.error = error
        self.failures = failures
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return "done"


@pytest.mark.parametrize(("error", "pause"), _REPEATED, ids=str)
async def test_until_done_after_a_passing_failure_repeats_the_attempt(error: Failure, pause: float) -> None:
    """The attempt is repeated after a pause, and its sentence is returned."""
    clock, attempt = ManualClock(), _Attempt(error, failures=5)
    assert await until_done(attempt, clock) == "done"
    assert attempt.calls == 6
    assert clock.monotonic() == pytest.approx(5 * pause)


@pytest.mark.parametrize(("error", "pause"), _REPEATED, ids=str)
async def test_until_done_with_a_lasting_failure_gives_up(error: Failure, pause: float) -> None:
    """After two minutes, the last failure is raised."""
    clock = ManualClock()
    with pytest.raises(type(error)) as raised:
        await until_done(_Attempt(error, failures=10_000), clock)
    assert raised.value is error
    assert LIMIT_SECONDS - pause <= clock.monotonic() <= LIMIT_SECONDS


@pytest.mark.parametrize("error", _REFUSALS, ids=lambda each: str(each.status))
async def test_until_done_with_a_refusal_raises_at_once(error: ApiError) -> None:
    """A refusal is final, so the attempt is not repeated."""
    clock, attempt = ManualClock(), _Attempt(error, failures=1)
    with pytest.raises(ApiError):
        await until_done(attempt, clock)
    assert (attempt.calls, clock.monotonic()) == (1, 0)


async def test_until_done_during_an_outage_says_why_it_waits(capsys: pytest.CaptureFixture[str]) -> None:
    """Each pause of an outage is one line with the failure. Conflicts are ordinary, so they print nothing."""
    await until_done(_Attempt(_LOST, failures=2), ManualClock())
    assert capsys.readouterr().err.splitlines() == [
        "GET /x: TimeoutError; trying again, for 120 s at most",
        "GET /x: TimeoutError; trying again, for 118 s at most",
    ]
    await until_done(_Attempt(ApiError(409, "Conflict", "changed"), failures=2), ManualClock())
    assert capsys.readouterr().err == ""
