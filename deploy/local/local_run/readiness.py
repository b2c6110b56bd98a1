"""Waits until Redis, the simulator and the fleet respond, and greets the user."""

import http.client
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from local_run.output import Terminal
from local_run.process import Process

_READY_LIMIT_SECONDS = 20
#: The first start with live upstreams takes longest, because it fetches two years of bars.
_ANNOUNCE_LIMIT_SECONDS = 60
#: Opens URLs of this machine, which a proxy of its network cannot reach.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))

HINTS = """
FinanceHub is {state}. Open {console} in a browser: it shows prices with charts, schedules, runs and problems.
In another terminal:
  {cli} status             the state of the fleet
  {cli} quotes             prices with their age and provider (--watch updates them)
  {cli} indicators AAPL    the 24 technical indicators
  {cli} news BTC-USD       news items about an asset
  {cli} schedules list     the schedules and their last runs
  curl {health}
Data: {upstream}. Press Ctrl-C to drain the tiers and stop everything.
"""


def await_ready(process: Process, is_stopped: Callable[[], bool], env: Mapping[str, str]) -> str:
    """Wait until Redis or the simulator responds, and return the reason if it exits or does not respond in time.

    Args:
        process: Redis or the simulator.
        is_stopped: Ends the wait without a reason when it returns true.
        env: The environment of all processes.
    """
    limit = time.monotonic() + _READY_LIMIT_SECONDS
    while process.exit_code() is None and time.monotonic() < limit:
        if is_stopped():
            return ""
        try:
            if process.name == "redis":
                redis.Redis.from_url(env["REDIS_URL"], socket_timeout=2, retry=Retry(NoBackoff(), 0)).ping()
            else:
                socket.create_connection(("127.0.0.1", int(env["SIMULATOR_PORT"])), timeout=1).close()
        except (redis.RedisError, OSError):
            time.sleep(0.05)
        else:
            return ""
    return f"{process.name} failed to start; see .data/{process.name}.log"


def _health_of(url: str) -> str:
    """Return `ok`, `degraded` or `down`, or `unreachable` if nothing responds."""
    try:
        with _DIRECT.open(url, timeout=2) as answer:
            return str(json.load(answer)["status"])
    except urllib.error.HTTPError:
        return "down"
    except (OSError, http.client.HTTPException, ValueError, TypeError, KeyError):
        return "unreachable"


def announce(terminal: Terminal, env: Mapping[str, str], upstream: str) -> None:
    """Print the hints once the fleet is healthy, or print its state if it does not become healthy in time."""
    console = f"http://localhost:{env['HTTP_PORT']}/"
    url = f"{console}api/health/"
    limit = time.monotonic() + _ANNOUNCE_LIMIT_SECONDS
    while (health := _health_of(url)) != "ok" and time.monotonic() < limit:
        time.sleep(0.25)
    redis_port = "" if env["REDIS_PORT"] == "6379" else f"REDIS_PORT={env['REDIS_PORT']} "
    terminal.write(
        HINTS.format(
            state="up" if health == "ok" else f"{health} after {_ANNOUNCE_LIMIT_SECONDS} s; the health URL says why",
            console=console,
            cli=f"{redis_port}.venv/bin/financehub",
            health=url,
            upstream="simulated, stored with provider simulated/<name>" if upstream == "simulator" else "live",
        )
    )
