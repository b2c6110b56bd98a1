"""The breaker from the callers' perspective, with the fleet's state in memory and a manual clock."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

import pytest

from financehub_shared.breaker import (
    BreakerListener,
    BreakerPolicy,
    BreakerRegistry,
    BreakerState,
    BreakerTransition,
    CircuitBreaker,
    count_transitions,
)
from financehub_shared.breaker.backends import LocalBackend
from financehub_shared.breaker.model import (
    BreakerEvent,
    BreakerReply,
    CallOutcome,
    Close,
    Decision,
    ForceOpen,
    RecordOutcome,
)
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import (
    BreakerOpenError,
    NotFoundError,
    ProviderError,
    RateLimitedError,
    StoreUnavailableError,
    UpstreamError,
)
from financehub_shared.metrics import Metrics

Judge = Callable[[Any], ProviderError | None]
POLICY = BreakerPolicy(minimum_calls=3, open_ms=30_000, probe_ms=10_000, slow_ms=5_000)


class Fleet(LocalBackend):
    """State that several breakers share like a Redis. It counts its commands and can become unavailable."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(POLICY, clock, lambda: 0.0)
        self.commands = 0
        self.unavailable = False

    def run(self, upstream: str, event: BreakerEvent) -> BreakerReply:
        if self.unavailable:
            raise StoreUnavailableError("unavailable")
        self.commands += 1
        return super().run(upstream, event)


def finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never waits. Unlike asyncio.run, this works inside another coroutine."""
    with pytest.raises(StopIteration) as caught:
        coroutine.send(None)
    return caught.value.value


class Process(CircuitBreaker):
    """One process's breaker. `do` makes a blocking call or a call in a coroutine."""

    def __init__(
        self, fleet: Fleet | None, clock: ManualClock, *, use_async: bool, listeners: Sequence[BreakerListener] = ()
    ) -> None:
        super().__init__("binance", POLICY, fleet, LocalBackend(POLICY, clock, lambda: 0.0), clock, listeners)
        self._use_async = use_async
        self.sent = 0

    def do(self, result: Any = None, error: BaseException | None = None, judge: Judge | None = None) -> Any:
        def send():
            self.sent += 1
            if error is not None:
                raise error
            return result

        async def asend():
            return send()

        return finish(self.acall(asend, judge)) if self._use_async else self.call(send, judge)

    def fail(self, times: int = 1, retry_after: float | None = None) -> None:
        for _ in range(times):
            with pytest.raises(UpstreamError):
                self.do(error=UpstreamError("binance", "HTTP 500", retry_after))

    def rejected(self) -> BreakerOpenError:
        sent = self.sent
        with pytest.raises(BreakerOpenError) as caught:
            self.do("never")
        assert self.sent == sent, "a rejected call reached the upstream"
        return caught.value


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def fleet(clock: ManualClock) -> Fleet:
    return Fleet(clock)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def use_async(request: pytest.FixtureRequest) -> Iterator[bool]:
    return request.param


def test_closed_breaker_returns_results_and_raises_errors_unchanged(fleet: Fleet, clock: ManualClock, use_async: bool):
    """A closed breaker changes nothing about what a call returns or raises."""
    breaker = Process(fleet, clock, use_async=use_async)
    assert breaker.do("quote") == "quote"
    error = NotFoundError("binance", "XYZ")
    with pytest.raises(NotFoundError) as caught:
        breaker.do(error=error)
    assert caught.value is error


def test_failures_of_several_processes_open_the_breaker_for_all(fleet: Fleet, clock: ManualClock, use_async: bool):
    """One failure in each of three processes, minutes apart, opens the breaker for all, and no more calls are sent."""
    processes = [Process(fleet, clock, use_async=use_async) for _ in range(6)]
    for process in processes[:3]:
        clock.advance(100)
        process.fail()
    for process in processes:
        error = process.rejected()
        assert error.retry_after == pytest.approx(30)
    assert sum(process.sent for process in processes) == 3


def test_rejection_carries_the_reason_and_the_time_of_the_next_probe(fleet: Fleet, clock: ManualClock, use_async: bool):
    """BreakerOpenError carries the seconds until a probe is allowed and the failure that opened the breaker."""
    breaker = Process(fleet, clock, use_async=use_async)
    breaker.fail(3)
    clock.advance(12)
    error = breaker.rejected()
    assert error.retry_after == pytest.approx(18)
    assert "HTTP 500" in str(error)


def test_retry_after_in_one_process_stops_all_processes(fleet: Fleet, clock: ManualClock, use_async: bool):
    """A 418 with Retry-After in one process makes every process wait for that time."""
    one, other = (Process(fleet, clock, use_async=use_async) for _ in range(2))
    with pytest.raises(RateLimitedError):
        one.do(error=RateLimitedError("binance", "HTTP 418", 7_200))
    assert other.rejected().retry_after == pytest.approx(7_200)
    clock.advance(7_199)
    other.rejected()
    clock.advance(1)
    assert other.do("probe") == "probe"


def test_open_time_over_admits_one_probe_that_decides_for_all(fleet: Fleet, clock: ManualClock, use_async: bool):
    """After the open time one call is admitted. Others are rejected while it runs, and admitted after its success."""
    one, other = (Process(fleet, clock, use_async=use_async) for _ in range(2))
    one.fail(3)
    clock.advance(30)
    assert one.do(judge=lambda _: other.rejected() and None) is None
    clock.advance(1)
    assert other.do("in") == "in"


def test_probe_with_not_found_closes_the_breaker(fleet: Fleet, clock: ManualClock, use_async: bool):
    """An upstream that responds with 'no such symbol' counts as working again."""
    breaker = Process(fleet, clock, use_async=use_async)
    breaker.fail(3)
    clock.advance(30)
    with pytest.raises(NotFoundError):
        breaker.do(error=NotFoundError("binance", "XYZ"))
    assert breaker.do("in") == "in"


def test_probe_that_fails_doubles_the_open_time(fleet: Fleet, clock: ManualClock, use_async: bool):
    """The wait after a failed probe is twice the first one."""
    breaker = Process(fleet, clock, use_async=use_async)
    breaker.fail(3)
    clock.advance(30)
    breaker.fail()
    assert breaker.rejected().retry_after == pytest.approx(60)


@pytest.mark.parametrize(
    "interruption", [asyncio.CancelledError(), SystemExit()], ids=lambda error: type(error).__name__
)
def test_cancelled_probe_returns_its_lease(
    fleet: Fleet, clock: ManualClock, use_async: bool, interruption: BaseException
):
    """An interrupted probe returns its lease, so the next call is admitted without a wait."""
    breaker = Process(fleet, clock, use_async=use_async)
    breaker.fail(3)
    clock.advance(30)
    with pytest.raises(type(interruption)):
        breaker.do(error=interruption)
    assert breaker.do("probe") == "probe"


def test_probe_past_its_lease_is_replaced_and_its_result_ignored(fleet: Fleet, clock: ManualClock, use_async: bool):
    """After the lease another process may probe, and the later result of the first probe changes nothing."""
    dead, other = (Process(fleet, clock, use_async=use_async) for _ in range(2))
    dead.fail(3)
    clock.advance(30)

    def while_the_first_probe_hangs(_: object) -> ProviderError:
        other.rejected()
        clock.advance(10)
        other.fail()
        return UpstreamError("binance", "late", 3_600)

    dead.do(judge=while_the_first_probe_hangs)
    clock.advance(1)
    assert other.rejected().retry_after == pytest.approx(59)


def test_result_that_the_judge_refuses_counts_as_a_failure(fleet: Fleet, clock: ManualClock, use_async: bool):
    """A result that represents a failure counts as one and is still returned."""
    breaker = Process(fleet, clock, use_async=use_async)
    for _ in range(3):
        result = breaker.do({"error": ["EService"]}, judge=lambda body: UpstreamError("kraken", str(body["error"])))
        assert result == {"error": ["EService"]}
    assert "EService" in str(breaker.rejected())


def test_slow_calls_open_the_breaker(fleet: Fleet, clock: ManualClock, use_async: bool):
    """An upstream that responds far too late opens the breaker."""
    breaker = Process(fleet, clock, use_async=use_async)
    for _ in range(3):
        breaker.do(judge=lambda _: clock.advance(5.1))
    assert "slow" in str(breaker.rejected())


def test_success_costs_one_command_and_repeated_rejection_none(fleet: Fleet, clock: ManualClock, use_async: bool):
    """An admission reports the previous successes, and a rejection stays valid for a second."""
    breaker = Process(fleet, clock, use_async=use_async)
    for _ in range(20):
        breaker.do()
    assert fleet.commands == 20
    breaker.fail(3)
    spent = fleet.commands
    for _ in range(50):
        breaker.rejected()
    assert fleet.commands == spent


def test_success_reported_with_the_next_admission_counts(fleet: Fleet, clock: ManualClock, use_async: bool):
    """Three failures in ten calls leave the breaker closed, because the admissions report the successes."""
    breaker = Process(fleet, clock, use_async=use_async)
    for _ in range(3):
        breaker.do()
    for _ in range(2):
        breaker.fail()
        breaker.do()
        breaker.do()
    breaker.fail()
    assert breaker.do("still closed") == "still closed"


def test_breaker_opened_by_hand_stays_open_until_closed_by_hand(fleet: Fleet, clock: ManualClock, use_async: bool):
    """A breaker that was opened manually stays open until it is closed manually, which takes effect within a second."""
    breaker = Process(fleet, clock, use_async=use_async)
    fleet.run("binance", ForceOpen())
    for _ in range(5):
        assert "by hand" in str(breaker.rejected())
        clock.advance(86_400)
    breaker.rejected()
    fleet.run("binance", Close())
    clock.advance(1)
    assert breaker.do("in") == "in"


def test_breaker_without_redis_counts_in_its_process(fleet: Fleet, clock: ManualClock, use_async: bool):
    """Without Redis the process counts locally, and it returns to the fleet's state when Redis is available again."""
    breaker = Process(fleet, clock, use_async=use_async)
    fleet.unavailable = True
    breaker.fail(3)
    assert breaker.rejected().retry_after == pytest.approx(30)
    fleet.unavailable = False
    assert breaker.do("shared") == "shared"


def test_rejection_by_redis_stays_valid_while_redis_is_unavailable(fleet: Fleet, clock: ManualClock, use_async: bool):
    """A rejection by the fleet's breaker holds until its time, even if Redis becomes unavailable."""
    breaker = Process(fleet, clock, use_async=use_async)
    breaker.fail(3)
    fleet.unavailable = True
    clock.advance(20)
    assert breaker.rejected().retry_after == pytest.approx(10)
    clock.advance(10)
    assert breaker.do("tried") == "tried"


def test_failure_while_redis_fails_counts_in_its_process(fleet: Fleet, clock: ManualClock, use_async: bool):
    """An outcome that can no longer be reported to Redis is counted in the process."""
    breaker = Process(fleet, clock, use_async=use_async)

    def redis_fails(_: object) -> ProviderError:
        fleet.unavailable = True
        return UpstreamError("binance", "HTTP 500", 40)

    breaker.do(judge=redis_fails)
    assert breaker.rejected().retry_after == pytest.approx(40)


def test_listeners_receive_each_transition_and_its_owner(fleet: Fleet, clock: ManualClock, use_async: bool):
    """The process that causes a transition reports it as its own, the others do not, and a failing listener does not
    break a call.
    """
    transitions: dict[str, list[BreakerTransition]] = {"one": [], "other": []}

    def broken(_: BreakerTransition) -> None:
        raise RuntimeError("metrics are down")

    one = Process(fleet, clock, use_async=use_async, listeners=[broken, transitions["one"].append])
    other = Process(fleet, clock, use_async=use_async, listeners=[transitions["other"].append])
    one.fail(3)
    other.rejected()
    clock.advance(30)
    one.do()
    other.do()
    changes = {
        name: [(t.old.value, t.new.value, t.reason.value, t.own) for t in ts] for name, ts in transitions.items()
    }
    assert changes == {
        "one": [
            ("closed", "open", "failures", True),
            ("open", "half-open", "probe", True),
            ("half-open", "closed", "recovered", True),
        ],
        "other": [("closed", "open", "failures", False), ("open", "closed", "recovered", False)],
    }


def test_metrics_count_own_transitions_and_show_the_state_everywhere(fleet: Fleet, clock: ManualClock, use_async: bool):
    """The counter grows only in the process that caused the transition, and the gauge is correct in all processes."""
    mine, theirs = Metrics("high"), Metrics("low")
    one = Process(fleet, clock, use_async=use_async, listeners=[count_transitions(mine)])
    other = Process(fleet, clock, use_async=use_async, listeners=[count_transitions(theirs)])
    one.fail(3)
    other.rejected()
    labels = {"provider": "binance", "state": "open"}
    count, state = "financehub_circuit_breaker_transitions_total", "financehub_circuit_breaker_state"
    assert [m.registry.get_sample_value(count, labels) for m in (mine, theirs)] == [1, None]
    assert [m.registry.get_sample_value(state, labels) for m in (mine, theirs)] == [1, 1]


def test_calls_of_one_process_run_in_parallel(fleet: Fleet, clock: ManualClock):
    """No lock is held during a call, so eight threads can be in their calls at the same time."""
    breaker = Process(fleet, clock, use_async=False)
    all_inside = threading.Barrier(8, timeout=60)
    threads = [threading.Thread(target=breaker.call, args=(all_inside.wait,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not all_inside.broken


def test_registry_returns_one_breaker_per_upstream(clock: ManualClock):
    """The registry returns the same breaker for the same upstream, and breakers of different upstreams are
    independent.
    """
    registry = BreakerRegistry(POLICY, None, clock)
    assert registry.get("kraken") is registry.get("kraken")

    def fail() -> None:
        raise UpstreamError("kraken", "HTTP 500")

    for _ in range(3):
        with pytest.raises(UpstreamError):
            registry.get("kraken").call(fail)
    with pytest.raises(BreakerOpenError):
        registry.get("kraken").call(fail)
    assert registry.get("binance").call(lambda: "in") == "in"


def test_outcome_with_an_unknown_epoch_is_stale(fleet: Fleet):
    """An outcome with an epoch that was never issued does not count."""
    reply = fleet.run("binance", RecordOutcome(99, CallOutcome.FAILURE))
    assert (reply.decision, reply.state) == (Decision.STALE, BreakerState.CLOSED)
