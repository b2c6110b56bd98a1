"""Real processes before a dead upstream, sharing one Redis."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from financehub_shared.breaker import BreakerRegistry, CircuitBreaker, Policy, list_breakers
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.errors import BreakerOpenError, UpstreamError
from financehub_shared.redis.scripts import RedisScripts
from support.breaker_fleet import rounds, run_fleet
from support.processes import end, launch

PROCESSES, THRESHOLD, LATENCY = 8, 5, 0.15


def fail() -> None:
    raise UpstreamError("upstream", "HTTP 500")


def breaker_of(url: str, policy: Policy) -> CircuitBreaker:
    clock = SystemClock()
    return BreakerRegistry(policy, RedisScripts.of_url(url, clock), clock, ()).get("upstream")


def test_a_dead_upstream_gets_the_threshold_and_what_is_in_flight_then_one_probe_a_round(redis_url: str):
    """Eight processes send at most threshold + 8 calls before all stop, and then a single probe at a time."""
    seen = run_fleet(
        redis_url, processes=PROCESSES, seconds=3.5, threshold=THRESHOLD, open_seconds=1.0, latency=LATENCY
    )
    # 0.8 s is the shortest open time, and calls of the burst, which follow each other at once, end up to 0.15 s into it
    burst, *probes = rounds(seen.sent, gap=0.3)
    assert THRESHOLD <= burst <= THRESHOLD + PROCESSES
    assert len(probes) >= 2
    assert set(probes) == {1}
    assert seen.attempts > 10 * len(seen.sent), "the processes did not go on trying"


def test_redis_commands_a_call(redis_client: "redis.Redis", redis_url: str):
    """Healthy calls cost one command each, calls to a dead upstream less than one for each that is asked for."""

    def commands() -> int:
        stats = redis_client.info("commandstats")
        return sum(stats.get(name, {"calls": 0})["calls"] for name in ("cmdstat_eval", "cmdstat_evalsha"))

    redis_client.config_resetstat()
    healthy = run_fleet(
        redis_url, processes=2, seconds=0.5, threshold=THRESHOLD, open_seconds=1.0, latency=0.005, healthy=True
    )
    assert 0 < commands() <= healthy.attempts
    redis_client.config_resetstat()
    dead = run_fleet(redis_url, processes=2, seconds=1.5, threshold=THRESHOLD, open_seconds=1.0, latency=0.05)
    assert 0 < commands() < dead.attempts


def test_a_killed_probe_is_replaced_after_its_lease(redis_client: "redis.Redis", redis_url: str):
    """SIGKILL of the process that probes blocks the others for the lease and no longer; the next probe decides."""
    policy = Policy(minimum_calls=1, open_ms=50, probe_ms=4_000)
    survivor = breaker_of(redis_url, policy)
    with pytest.raises(UpstreamError):
        survivor.call(fail)
    time.sleep(0.06)
    code = f"""
import time
from financehub_shared.breaker import BreakerRegistry, Policy
from financehub_shared.core.clock import SystemClock
from financehub_shared.redis.scripts import RedisScripts
clock = SystemClock()
registry = BreakerRegistry({policy!r}, RedisScripts.of_url({redis_url!r}, clock), clock, ())
registry.get("upstream").call(lambda: (print("probing", flush=True), time.sleep(60)))
"""
    holder = launch([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "probing\n"
        finally:
            end(holder)
    with pytest.raises(BreakerOpenError, match="a probe is on its way") as caught:
        survivor.call(fail)
    assert 0 < (caught.value.retry_after or 0) <= 4
    deadline, answer = time.monotonic() + 10, None
    while answer is None and time.monotonic() < deadline:
        try:
            answer = survivor.call(lambda: "well again")
        except BreakerOpenError as error:
            time.sleep(min(error.retry_after or 0.05, 0.2))
    assert answer == "well again"
    assert [info.state for info in list_breakers(redis_client)] == ["closed"]


def test_a_new_process_resets_nothing(redis_url: str, tmp_path: Path):
    """A pod that starts while the upstream is dead finds the breaker open and sends nothing."""
    policy = Policy(minimum_calls=1)
    with pytest.raises(UpstreamError):
        breaker_of(redis_url, policy).call(fail)
    marker = tmp_path / "sent"
    with pytest.raises(BreakerOpenError):
        breaker_of(redis_url, policy).call(marker.touch)
    assert not marker.exists()
