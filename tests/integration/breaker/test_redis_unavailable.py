"""Tests of breakers and budgets while Redis is dead, hung, read-only, full or restarted."""

import time
from collections.abc import Callable
from functools import partial

import pytest

from financehub_shared.breaker import BreakerPolicy, BreakerRegistry, force_open, list_breakers
from financehub_shared.budget import Budget
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.errors import BreakerOpenError, QuotaExceededError, UpstreamError
from financehub_shared.redis.client import connect, connect_async
from financehub_shared.redis.scripts import RedisScripts
from support.redis_server import RedisServer

pytestmark = pytest.mark.faults


class Fault:
    """Faults of a Redis. Each returns a function that repairs it."""

    @staticmethod
    def kill(server: RedisServer) -> Callable[[], object]:
        server.kill()
        return server.start

    @staticmethod
    def hang(server: RedisServer) -> Callable[[], object]:
        server.hang()
        return server.resume

    @staticmethod
    def demote(server: RedisServer) -> Callable[[], object]:
        server.client().replicaof("127.0.0.1", "1")
        return lambda: server.client().replicaof("NO", "ONE")

    @staticmethod
    def fill(server: RedisServer) -> Callable[[], object]:
        server.client().config_set("maxmemory", 1)
        return lambda: server.client().config_set("maxmemory", 0)


FAULTS = pytest.mark.parametrize("fault", [Fault.kill, Fault.hang, Fault.demote, Fault.fill], ids=lambda f: f.__name__)


def scripts_of(server: RedisServer, retry_seconds: float = 0.2) -> RedisScripts:
    # Longer than a healthy Redis needs on a loaded machine.
    timeout = 3
    build, build_async = (partial(each, server.url, retries=1, timeout=timeout) for each in (connect, connect_async))
    return RedisScripts(build, build_async, SystemClock(), retry_seconds=retry_seconds, timeout_seconds=timeout)


async def fail() -> None:
    raise UpstreamError("binance", "HTTP 500")


async def pass_() -> str:
    return "sent"


@FAULTS
async def test_breaker_during_a_redis_fault_counts_locally_and_then_shares_again(
    redis_server: Callable[..., RedisServer], fault: Callable[[RedisServer], Callable[[], object]]
):
    """During the fault calls are allowed and blocked locally, and no call waits long. Afterwards the fleet's state
    decides again.
    """
    server = redis_server()
    scripts = scripts_of(server)
    breaker = BreakerRegistry(BreakerPolicy(minimum_calls=3, open_ms=60_000), scripts, SystemClock(), ()).get("binance")
    assert await breaker.acall(pass_) == "sent"
    repair = fault(server)
    started = time.monotonic()
    for _ in range(3):
        with pytest.raises(UpstreamError):
            await breaker.acall(fail)
    for _ in range(20):
        with pytest.raises(BreakerOpenError):
            await breaker.acall(fail)
    assert time.monotonic() - started < 30, "a hung Redis delayed the calls"
    repair()
    deadline, answer = time.monotonic() + 60, ""
    while not answer and time.monotonic() < deadline:
        try:
            answer = await breaker.acall(pass_)  # open locally, closed in the fleet
        except BreakerOpenError:
            time.sleep(0.05)  # noqa: ASYNC251 — nothing else runs in this loop
    assert answer == "sent"
    force_open(server.client(), "binance")
    with pytest.raises(BreakerOpenError, match="by hand"):
        await breaker.acall(pass_)
    await scripts.aclose()


def test_blocking_breaker_with_a_hung_redis_waits_only_once(redis_server: Callable[..., RedisServer]):
    """The blocking API also waits once for a hung Redis and then continues without it."""
    server = redis_server()
    scripts = scripts_of(server, retry_seconds=60)
    breaker = BreakerRegistry(BreakerPolicy(), scripts, SystemClock(), ()).get("binance")
    assert breaker.call(lambda: "sent") == "sent"
    server.hang()
    started = time.monotonic()
    assert [breaker.call(lambda: "sent") for _ in range(50)] == ["sent"] * 50
    assert time.monotonic() - started < 30
    scripts.close()


async def test_open_breaker_stays_open_across_a_redis_restart(redis_server: Callable[..., RedisServer]):
    """A breaker that was open before a restart of Redis (AOF) is open after it, and the script still runs."""
    server = redis_server()
    scripts = scripts_of(server)
    breaker = BreakerRegistry(BreakerPolicy(minimum_calls=1, open_ms=60_000), scripts, SystemClock(), ()).get("binance")
    with pytest.raises(UpstreamError):
        await breaker.acall(fail)
    server.restart()
    other = BreakerRegistry(BreakerPolicy(), RedisScripts.of_url(server.url, SystemClock()), SystemClock(), ()).get(
        "binance"
    )
    with pytest.raises(BreakerOpenError):
        other.call(lambda: "never")
    assert list_breakers(server.client())[0].state == "open"
    await scripts.aclose()


async def spend_all(budget: Budget) -> int:
    spent = 0
    while True:
        try:
            await budget.spend()
        except QuotaExceededError:
            return spent
        spent += 1


@FAULTS
async def test_budget_during_a_redis_fault_shrinks_to_a_share(
    redis_server: Callable[..., RedisServer], fault: Callable[[RedisServer], Callable[[], object]]
):
    """During the fault a process spends an eighth of the limit, including earlier calls, and afterwards the whole limit
    again.
    """
    server = redis_server()
    scripts = scripts_of(server)
    budget = Budget("binance", [(60, 80)], scripts, SystemClock())
    for _ in range(4):
        await budget.spend()
    repair = fault(server)
    for _ in range(6):
        await budget.spend()
    with pytest.raises(QuotaExceededError, match="10 per 60 s"):
        await budget.spend()
    repair()
    deadline, back = time.monotonic() + 60, False
    while not back and time.monotonic() < deadline:
        try:
            await budget.spend()
            back = True
        except QuotaExceededError:
            time.sleep(0.05)  # noqa: ASYNC251 — nothing else runs in this loop
    spent = await spend_all(budget)
    # A Redis that was hung also executes the one call whose reply timed out.
    assert spent in ({74, 75} if fault is Fault.hang else {75})
    await scripts.aclose()
