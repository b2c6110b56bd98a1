"""Reads from a Redis server, in one round trip, what can be wrong with it: its time, its INFO and whether it writes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import redis

from financehub_shared.core.clock import Clock
from financehub_shared.redis import keys, queue_keys
from financehub_shared.redis.key_types import ASIDE_NAMES, COUNT_ASIDE
from financehub_shared.redis.replies import MALFORMED_REPLY
from financehub_shared.redis.server_check import NotRedisError

#: The probe expires by itself if FinanceHub is uninstalled.
PROBE_TTL_SECONDS = 60

#: SHA-1 of a script that does not exist.
_UNKNOWN_SCRIPT = "0" * 40

#: Server label → its name in sentences.
TITLES = {"queues": "queue Redis", "data": "data Redis"}


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A server's replies.

    Args:
        server: `queues` or `data`.
        address: Host and port, or the path of the socket.
        time: The server's time in Unix seconds, halfway through the round trip; None if TIME was refused.
        seconds: Duration of the round trip.
        skew: This process's clock minus the server's, in seconds; None if TIME was refused.
        info: The fields of INFO; empty if it was refused or not read.
        refused: Name of a refused command (`TIME`, `SET`, `EVALSHA`, `EXISTS`, `INFO` or `EVAL`) → its error.
        set_aside: Number of keys that were set aside and not deleted.
    """

    server: str
    address: str = ""
    time: float | None = None
    seconds: float = 0.0
    skew: float | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    refused: Mapping[str, redis.RedisError] = field(default_factory=dict)
    set_aside: int = 0

    @property
    def place(self) -> str:
        """The server in a sentence, such as `the queue Redis at localhost:6379`."""
        return describe_server(self.server, self.address)

    def number(self, field: str) -> float:
        """Return a number of INFO, or 0 if the server hides it or sends something else."""
        return number_of(self.info, field)


def number_of(info: Mapping[str, Any], field: str) -> float:
    """Return a number of INFO, or 0 if the server hides it or sends something else."""
    value = info.get(field)
    return value if isinstance(value, (int, float)) and math.isfinite(value) else 0


def describe_server(server: str, address: str) -> str:
    """Return a server's name for a sentence.

    Args:
        server: `queues` or `data`.
        address: Host and port, or the path of the socket; may be empty.
    """
    return f"the {TITLES.get(server, server)}{f' at {address}' if address else ''}"


def place_of(client: "redis.Redis") -> str:
    """Return where a client connects to, without user and password."""
    options = client.connection_pool.connection_kwargs
    if "address" in options:  # built by `redis.client`
        return str(options["address"].place)
    if "path" in options:
        return str(options["path"])
    return f"{options['host']}:{options.get('port', 6379)}" if "host" in options else ""


def read_facts(
    server: str, client: "redis.Redis", clock: Clock, *, write: bool = True, details: bool = True
) -> ServerFacts:
    """Read the facts of one server. Commands that the server refuses are among the facts.

    Args:
        server: `queues` or `data`.
        client: Client with a short timeout and without retries.
        clock: This machine's clock, which is compared with the server's.
        write: Whether to write a key that expires, and to ask for a script and for a key of the queues.
        details: Whether to read INFO and count the keys that were set aside, which takes the server about 0.1 ms.

    Raises:
        redis.RedisError: The server does not answer, is still loading its data, or is not a Redis server.
    """
    with client.pipeline(transaction=False) as pipeline:
        names = ["TIME"]
        pipeline.time()
        if write:  # a server answers reads even if it refuses every write
            names.append("SET")
            pipeline.set(keys.WRITE_PROBE, "1", ex=PROBE_TTL_SECONDS)
            names.append("EVALSHA")  # replies NOSCRIPT to a user who may run scripts
            pipeline.evalsha(_UNKNOWN_SCRIPT, 0)
            if server == "queues":
                names.append("EXISTS")
                pipeline.exists(queue_keys.HEARTBEATS)
        if details:
            names.append("INFO")
            pipeline.info()
            names.append("EVAL")
            pipeline.eval(COUNT_ASIDE, 1, ASIDE_NAMES)
        wall, started = clock.now(), clock.monotonic()
        try:
            replies = dict(zip(names, pipeline.execute(raise_on_error=False), strict=True))
        except MALFORMED_REPLY as error:
            raise NotRedisError(place_of(client)) from error
        seconds = clock.monotonic() - started
    refused = {
        name: reply
        for name, reply in replies.items()
        if isinstance(reply, redis.RedisError) and not isinstance(reply, redis.exceptions.NoScriptError)
    }
    time = skew = None
    if "TIME" not in refused:
        time = replies["TIME"][0] + replies["TIME"][1] / 1e6
        skew = wall + seconds / 2 - time
    info = replies["INFO"] if details and "INFO" not in refused else {}
    set_aside = int(replies["EVAL"]) if details and "EVAL" not in refused else 0
    return ServerFacts(server, place_of(client), time, seconds, skew, info, refused, set_aside)
