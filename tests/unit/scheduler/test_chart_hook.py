"""chart_hook: after which failures of the API server a hook repeats its work, and for how long."""

import pytest

from financehub_scheduler.chart_hook import CONFLICT_SECONDS, LIMIT_SECONDS, OUTAGE_SECONDS, until_done
from financehub_scheduler.kubernetes.client.api import ApiError, ApiUnreachableError
from financehub_scheduler.kubernetes.client.connection import REQUEST_SECONDS
from financehub_shared.core.clock import ManualClock

Failure = ApiError | ApiUnreachableError
_LOST = ApiUnreachableError("GET /x: no answer within 10 s")
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
async def test_until_done_after_a_temporary_failure_repeats_the_attempt(error: Failure, pause: float) -> None:
    """The attempt is repeated after a pause, and its sentence is returned."""
    clock, attempt = ManualClock(), _Attempt(error, failures=5)
    assert await until_done(attempt, clock) == "done"
    assert attempt.calls == 6
    assert clock.monotonic() == pytest.approx(5 * pause)


@pytest.mark.parametrize(("error", "pause"), _REPEATED, ids=str)
async def test_until_done_with_a_lasting_failure_gives_up(error: Failure, pause: float) -> None:
    """At the limit, the last failure is raised."""
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


async def test_until_done_with_slow_attempts_begins_none_after_the_limit() -> None:
    """The time of the attempts counts too. Only the last one may end after the limit."""
    clock, began = ManualClock(), []

    async def attempt() -> str:
        began.append(clock.monotonic())
        clock.advance(REQUEST_SECONDS)
        raise _LOST

    with pytest.raises(ApiUnreachableError):
        await until_done(attempt, clock)
    assert len(began) > 1
    assert max(began) <= LIMIT_SECONDS


async def test_until_done_with_failures_of_several_kinds_ends_with_a_refusal() -> None:
    """Each failure is judged by itself."""
    failures = iter([_LOST, ApiError(409, "Conflict", "changed"), ApiError(503, "", "busy"), ApiError(422, "", "no")])

    async def attempt() -> str:
        raise next(failures)

    with pytest.raises(ApiError) as raised:
        await until_done(attempt, ManualClock())
    assert raised.value.status == 422


@pytest.mark.parametrize("status", [401, 403])
async def test_until_done_with_an_api_server_that_starts_repeats(status: int) -> None:
    """After an outage, the API server does not know all accounts and roles at once, so its refusal may be temporary."""
    failures = iter([_LOST, ApiError(status, "", "not known yet")])

    async def attempt() -> str:
        if failure := next(failures, None):
            raise failure
        return "done"

    assert await until_done(attempt, ManualClock()) == "done"


async def test_until_done_during_an_outage_says_why_it_waits(capsys: pytest.CaptureFixture[str]) -> None:
    """Each pause of an outage is one line with the failure. Conflicts are ordinary, so they print nothing."""
    await until_done(_Attempt(_LOST, failures=2), ManualClock())
    assert capsys.readouterr().err.splitlines() == [
        "GET /x: no answer within 10 s; the next attempt follows in 2 s",
        "GET /x: no answer within 10 s; the next attempt follows in 2 s",
    ]
    await until_done(_Attempt(ApiError(409, "Conflict", "changed"), failures=2), ManualClock())
    assert capsys.readouterr().err == ""
