"""The breaker as callers use it; the fleet's state is the in-memory peer, time is moved by hand."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

import pytest

from financehub_shared.breaker import (
    BreakerRegistry,
    CircuitBreaker,
    Listener,
    Phase,
    Policy,
    Transition,
    count_transitions,
)
from financehub_shared.breaker.backends import LocalBackend
from financehub_shared.breaker.states import Close, Event, ForceOpen, Outcome, Record, Reply, Verdict
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
POLICY = Policy(minimum_calls=3, open_ms=30_000, probe_ms=10_000, slow_ms=5_000)


class Fleet(LocalBackend):
    """State shared by several breakers of one process, as Redis shares it; counts its commands and can go away."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(POLICY, clock, lambda: 0.0)
        self.commands = 0
        self.away = False

    def run(self, upstream: str, event: Event) -> Reply:
        if self.away:
            raise StoreUnavailableError("away")
        self.commands += 1
        return super().run(upstream, event)


def finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never has to wait; unlike asyncio.run, also inside another one."""
    with pytest.raises(StopIteration) as caught:
        coroutine.send(None)
    return caught.value.value


class Process(CircuitBreaker):
    """One process's breaker, blocking or in coroutines by the same method."""

    def __init__(
        self, fleet: Fleet | None, clock: ManualClock, *, use_async: bool, listeners: Sequence[Listener] = ()
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


def test_a_result_comes_back_and_errors_pass_unchanged(fleet: Fleet, clock: ManualClock, use_async: bool):
    """While closed, the breaker changes nothing of what a call returns or raises."""
    breaker = Process(fleet, clock, use_async=use_async)
    assert breaker.do("quote") == "quote"
    error = NotFoundError("binance", "XYZ")
    with pytest.raises(NotFoundError) as caught:
        breaker.do(error=error)
    assert caught.value is error


def test_sparse_failures_of_several_processes_add_up(fleet: Fleet, clock: ManualClock, use_async: bool):
    """One failure in each of three processes, minutes apart, opens it for all, and not one more call is sent."""
    processes = [Process(fleet, clock, use_async=use_async) for _ in range(6)]
    for process in processes[:3]:
        clock.advance(100)
        process.fail()
    for process in processes:
        error = process.rejected()
        assert error.retry_after == pytest.approx(30)
    assert sum(process.sent for process in processes) == 3


def test_a_rejection_says_why_and_when_to_come_back(fleet: Fleet, clock: ManualClock, use_async: bool):
    """BreakerOpenError carries the seconds until a probe may go and the failure that opened it."""
    breaker = Process(fleet, clock, use_async=use_async)
    breaker.fail(3)
    clock.advance(12)
    error = breaker.rejected()
    assert error.retry_after == pytest.approx(18)
    assert "HTTP 500" in str(error)


def test_retry_after_of_one_process_stops_all(fleet: Fleet, clock: ManualClock, use_async: bool):
    """A 418 with Retry-After at one process keeps every process away until then."""
    one, other = (Process(fleet, clock, use_async=use_async) for _ in range(2))
    with pytest.raises(RateLimitedError):
        one.do(error=RateLimitedError("binance", "HTTP 418", 7_200))
    assert other.rejected().retry_after == pytest.approx(7_200)
    clock.advance(7_199)
    other.rejected()
    clock.advance(1)
    assert other.do("probe") == "probe"


def test_one_probe_decides_for_all(fleet: Fleet, clock: ManualClock, use_async: bool):
    """When the open time is over one call goes; while it runs the others are rejected, and its success lets them in."""
    one, other = (Process(fleet, clock, use_async=use_async) for _ in range(2))
    one.fail(3)
    clock.advance(30)
    assert one.do(judge=lambda _: other.rejected() and None) is None
    clock.advance(1)
    assert other.do("in") == "in"


def test_not_found_of_a_probe_closes_it(fleet: Fleet, clock: ManualClock, use_async: bool):
    """An upstream that answers 'no such symbol' is well again."""
    breaker = Process(fleet, clock, use_async=use_async)
    breaker.fail(3)
    clock.advance(30)
    with pytest.raises(NotFoundError):
        breaker.do(error=NotFoundError("binance", "XYZ"))
    assert breaker.do("in") == "in"


def test_a_failed_probe_keeps_it_open_for_longer(fleet: Fleet, clock: ManualClock, use_async: bool):
    """The wait after a failed probe is twice the first one."""
    breaker = Process(fleet, clock, use_async=use_async)
    breaker.fail(3)
    clock.advance(30)
    breaker.fail()
    assert breaker.rejected().retry_after == pytest.approx(60)


@pytest.mark.parametrize(
    "interruption", [asyncio.CancelledError(), SystemExit()], ids=lambda error: type(error).__name__
)
def test_a_cancelled_probe_gives_its_place_to_the_next(
    fleet: Fleet, clock: ManualClock, use_async: bool, interruption: BaseException
):
    """A probe that is interrupted returns the lease at once instead of letting it run out."""
    breaker = Process(fleet, clock, use_async=use_async)
    breaker.fail(3)
    clock.advance(30)
    with pytest.raises(type(interruption)):
        breaker.do(error=interruption)
    assert breaker.do("probe") == "probe"


def test_a_probe_that_died_is_replaced_and_its_late_result_ignored(fleet: Fleet, clock: ManualClock, use_async: bool):
    """After the lease another process may probe; what the first one reports later changes nothing."""
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


def test_results_are_classified_by_the_callers_judge(fleet: Fleet, clock: ManualClock, use_async: bool):
    """A result that stands for a failure is counted as one and still returned."""
    breaker = Process(fleet, clock, use_async=use_async)
    for _ in range(3):
        result = breaker.do({"error": ["EService"]}, judge=lambda body: UpstreamError("kraken", str(body["error"])))
        assert result == {"error": ["EService"]}
    assert "EService" in str(breaker.rejected())


def test_slow_calls_count_as_failures(fleet: Fleet, clock: ManualClock, use_async: bool):
    """An upstream that answers, but far too late, opens the breaker."""
    breaker = Process(fleet, clock, use_async=use_async)
    for _ in range(3):
        breaker.do(judge=lambda _: clock.advance(5.1))
    assert "slow" in str(breaker.rejected())


def test_a_success_costs_one_command_and_a_rejection_none(fleet: Fleet, clock: ManualClock, use_async: bool):
    """Admissions carry the successes before them; a rejection is believed for a second."""
    breaker = Process(fleet, clock, use_async=use_async)
    for _ in range(20):
        breaker.do()
    assert fleet.commands == 20
    breaker.fail(3)
    spent = fleet.commands
    for _ in range(50):
        breaker.rejected()
    assert fleet.commands == spent


def test_a_success_that_is_reported_later_counts(fleet: Fleet, clock: ManualClock, use_async: bool):
    """Successes travel with the next admission and keep the breaker closed: three failures in ten calls."""
    breaker = Process(fleet, clock, use_async=use_async)
    for _ in range(3):
        breaker.do()
    for _ in range(2):
        breaker.fail()
        breaker.do()
        breaker.do()
    breaker.fail()
    assert breaker.do("still closed") == "still closed"


def test_forced_open_stays_open_until_closed(fleet: Fleet, clock: ManualClock, use_async: bool):
    """Nothing but a hand closes what a hand has opened, and closing it is noticed within a second."""
    breaker = Process(fleet, clock, use_async=use_async)
    fleet.run("binance", ForceOpen())
    for _ in range(5):
        assert "by hand" in str(breaker.rejected())
        clock.advance(86_400)
    breaker.rejected()
    fleet.run("binance", Close())
    clock.advance(1)
    assert breaker.do("in") == "in"


def test_while_redis_is_away_the_process_breaks_alone(fleet: Fleet, clock: ManualClock, use_async: bool):
    """Without Redis the process counts by itself, and returns to the fleet's state when Redis is back."""
    breaker = Process(fleet, clock, use_async=use_async)
    fleet.away = True
    breaker.fail(3)
    assert breaker.rejected().retry_after == pytest.approx(30)
    fleet.away = False
    assert breaker.do("shared") == "shared"


def test_what_redis_said_last_holds_while_it_is_away(fleet: Fleet, clock: ManualClock, use_async: bool):
    """An upstream that the fleet found dead is left alone until its time, also when Redis goes away."""
    breaker = Process(fleet, clock, use_async=use_async)
    breaker.fail(3)
    fleet.away = True
    clock.advance(20)
    assert breaker.rejected().retry_after == pytest.approx(10)
    clock.advance(10)
    assert breaker.do("tried") == "tried"


def test_a_failure_counts_when_redis_went_away_during_the_call(fleet: Fleet, clock: ManualClock, use_async: bool):
    """An outcome that Redis can no longer take is counted in the process."""
    breaker = Process(fleet, clock, use_async=use_async)

    def redis_dies(_: object) -> ProviderError:
        fleet.away = True
        return UpstreamError("binance", "HTTP 500", 40)

    breaker.do(judge=redis_dies)
    assert breaker.rejected().retry_after == pytest.approx(40)


def test_listeners_hear_of_each_change_once_per_fleet(fleet: Fleet, clock: ManualClock, use_async: bool):
    """The process that makes a change reports it as its own, others as seen; a listener that fails breaks no call."""
    heard: dict[str, list[Transition]] = {"one": [], "other": []}

    def broken(_: Transition) -> None:
        raise RuntimeError("metrics are down")

    one = Process(fleet, clock, use_async=use_async, listeners=[broken, heard["one"].append])
    other = Process(fleet, clock, use_async=use_async, listeners=[heard["other"].append])
    one.fail(3)
    other.rejected()
    clock.advance(30)
    one.do()
    other.do()
    changes = {name: [(t.old.value, t.new.value, t.reason.value, t.own) for t in ts] for name, ts in heard.items()}
    assert changes == {
        "one": [
            ("closed", "open", "failures", True),
            ("open", "half-open", "probe", True),
            ("half-open", "closed", "recovered", True),
        ],
        "other": [("closed", "open", "failures", False), ("open", "closed", "recovered", False)],
    }


def test_metrics_count_own_changes_and_show_what_is_seen(fleet: Fleet, clock: ManualClock, use_async: bool):
    """The counter rises in the process that made the change; the gauge is right in all."""
    mine, theirs = Metrics("high"), Metrics("low")
    one = Process(fleet, clock, use_async=use_async, listeners=[count_transitions(mine)])
    other = Process(fleet, clock, use_async=use_async, listeners=[count_transitions(theirs)])
    one.fail(3)
    other.rejected()
    labels = {"provider": "binance", "state": "open"}
    count, state = "financehub_circuit_breaker_transitions_total", "financehub_circuit_breaker_state"
    assert [m.registry.get_sample_value(count, labels) for m in (mine, theirs)] == [1, None]
    assert [m.registry.get_sample_value(state, labels) for m in (mine, theirs)] == [1, 1]


def test_calls_of_one_process_run_side_by_side(fleet: Fleet, clock: ManualClock):
    """No lock is held during a call: eight threads are inside at the same time."""
    breaker = Process(fleet, clock, use_async=False)
    all_inside = threading.Barrier(8, timeout=10)
    threads = [threading.Thread(target=breaker.call, args=(all_inside.wait,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not all_inside.broken


def test_the_registry_gives_one_breaker_an_upstream(clock: ManualClock):
    """Asking again gives the same breaker, and upstreams do not know of each other."""
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


def test_a_record_with_an_unknown_epoch_is_stale(fleet: Fleet):
    """A forged or lost epoch never counts."""
    reply = fleet.run("binance", Record(99, Outcome.FAILURE))
    assert (reply.verdict, reply.phase) == (Verdict.STALE, Phase.CLOSED)
