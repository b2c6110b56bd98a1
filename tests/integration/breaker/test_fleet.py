"""Tests with real processes that share one Redis and call a dead upstream."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from financehub_shared.breaker import BreakerPolicy, BreakerRegistry, CircuitBreaker, list_breakers
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.errors import BreakerOpenError, UpstreamError
from financehub_shared.redis.scripts import RedisScripts
from support.breaker_fleet import rounds, run_fleet
from support.processes import end, launch
from support.redis_server import PATIENT_SECONDS

pytestmark = pytest.mark.faults

PROCESSES, THRESHOLD, LATENCY = 8, 5, 0.15


def fail() -> None:
    raise UpstreamError("upstream", "HTTP 500")


def breaker_of(url: str, policy: BreakerPolicy) -> CircuitBreaker:
    clock = SystemClock()
    return BreakerRegistry(policy, RedisScripts.of_url(url, clock, timeout_seconds=PATIENT_SECONDS), clock, ()).get(
        "upstream"
    )


def test_fleet_with_a_dead_upstream_sends_the_threshold_then_single_probes(redis_url: str):
    """Eight processes send at most threshold + 8 calls before all of them stop, and then one probe at a time."""
    calls = run_fleet(
        redis_url, processes=PROCESSES, seconds=11.0, threshold=THRESHOLD, open_seconds=3.0, latency=LATENCY
    )
    # The shortest open time is 2.4 s. A process that a busy machine stops sends a call of the first group later.
    burst, *probes = rounds(calls.sent, gap=1.2)
    assert THRESHOLD <= burst <= THRESHOLD + PROCESSES
    assert len(probes) >= 2
    assert set(probes) == {1}
    assert calls.attempts > 10 * len(calls.sent), "the processes did not continue to call"


def test_fleet_needs_at_most_one_redis_command_per_call(redis_client: "redis.Redis", redis_url: str):
    """A healthy call costs one command, and calls to a dead upstream cost less than one each."""

    def commands() -> int:
        stats = redis_client.info("commandstats")
        return sum(stats.get(name, {"calls": 0})["calls"] for name in ("cmdstat_eval", "cmdstat_evalsha"))

    redis_client.config_resetstat()
    healthy = run_fleet(
        redis_url, processes=2, seconds=2.0, threshold=THRESHOLD, open_seconds=1.0, latency=0.005, healthy=True
    )
    assert 0 < commands() <= healthy.attempts
    redis_client.config_resetstat()
    dead = run_fleet(redis_url, processes=2, seconds=1.5, threshold=THRESHOLD, open_seconds=1.0, latency=0.05)
    assert 0 < commands() < dead.attempts


def test_probe_of_a_killed_process_is_replaced_after_its_lease(redis_client: "redis.Redis", redis_url: str):
    """If the probing process is killed, the others are blocked only until its lease ends. The next probe decides."""
    policy = BreakerPolicy(minimum_calls=1, open_ms=50, probe_ms=12_000)
    survivor = breaker_of(redis_url, policy)
    with pytest.raises(UpstreamError):
        survivor.call(fail)
    time.sleep(0.06)
    code = f"""
import time
from financehub_shared.breaker import BreakerRegistry, BreakerPolicy
from financehub_shared.core.clock import SystemClock
from financehub_shared.redis.scripts import RedisScripts
clock = SystemClock()
scripts = RedisScripts.of_url({redis_url!r}, clock, timeout_seconds={PATIENT_SECONDS})
registry = BreakerRegistry({policy!r}, scripts, clock, ())
registry.get("upstream").call(lambda: (print("probing", flush=True), time.sleep(60)))
"""
    holder = launch([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "probing\n"
        finally:
            end(holder)
    with pytest.raises(BreakerOpenError, match="a probe is in progress") as caught:
        survivor.call(fail)
    assert 0 < (caught.value.retry_after or 0) <= 12
    deadline, answer = time.monotonic() + 60, None
    while answer is None and time.monotonic() < deadline:
        try:
            answer = survivor.call(lambda: "works again")
        except BreakerOpenError as error:
            time.sleep(min(error.retry_after or 0.05, 0.2))
    assert answer == "works again"
    assert [info.state for info in list_breakers(redis_client)] == ["closed"]


def test_new_process_finds_the_breaker_open(redis_url: str, tmp_path: Path):
    """A pod that starts while the upstream is dead finds the breaker open and sends no request."""
    policy = BreakerPolicy(minimum_calls=1)
    with pytest.raises(UpstreamError):
        breaker_of(redis_url, policy).call(fail)
    marker = tmp_path / "sent"
    with pytest.raises(BreakerOpenError):
        breaker_of(redis_url, policy).call(marker.touch)
    assert not marker.exists()
