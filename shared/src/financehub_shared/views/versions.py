"""The view of the releases of a fleet: of the process that asks, of each live process, and of the Redis servers."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from typing_extensions import TypedDict

from financehub_shared.core.release import release_version
from financehub_shared.health.processes import ProcessInfo
from financehub_shared.redis.server_facts import ServerFacts
from financehub_shared.views.fields import Field

#: The release of a process that does not announce it, or of a server that hides it.
UNKNOWN = "unknown"


class ProcessVersionView(TypedDict):
    """The release of one live process."""

    tier: Annotated[str, Field(description="The name of the tier, `scheduler` or `web`.", examples=["high"])]
    host: Annotated[str, Field(description="The name of the host. In Kubernetes, it is the name of the pod.")]
    pid: Annotated[int, Field(description="The id of the process on its host.")]
    version: Annotated[str, Field(description="The release, or `unknown`.", examples=["1.2.3"])]


class RedisVersionView(TypedDict):
    """The version of one Redis server."""

    server: Annotated[
        str, Field(description="What it holds: `queues` or `data`. One server that holds both is `queues`.")
    ]
    name: Annotated[str, Field(description="The name of the program: `redis` or `valkey`.")]
    version: Annotated[str, Field(description="The version, or `unknown`.", examples=["7.2.4"])]


class VersionsView(TypedDict):
    """The releases of a fleet."""

    cli: Annotated[str, Field(description="The release of the command line.", examples=["1.2.3"])]
    fleet: Annotated[list[str], Field(description="The releases of the live processes, without duplicates, sorted.")]
    mixed: Annotated[bool, Field(description="Whether the command line and the processes have different releases.")]
    redis: Annotated[list[RedisVersionView], Field(description="The Redis servers.")]
    processes: Annotated[list[ProcessVersionView], Field(description="The live processes, sorted by tier.")]


def versions_view(processes: Sequence[ProcessInfo], servers: Sequence[ServerFacts]) -> VersionsView:
    """Return the view of the releases of a fleet.

    Args:
        processes: The live processes.
        servers: The facts of the Redis servers.
    """
    fleet = sorted({process.version or UNKNOWN for process in processes})
    return {
        "cli": release_version(),
        "fleet": fleet,
        "mixed": len({release_version(), *fleet}) > 1,
        "redis": [_redis_view(server) for server in servers],
        "processes": [
            {
                "tier": process.tier,
                "host": process.host,
                "pid": process.pid,
                "version": process.version or UNKNOWN,
            }
            for process in processes
        ],
    }


def _redis_view(facts: ServerFacts) -> RedisVersionView:
    name, version = server_version(facts.info)
    return {"server": facts.server, "name": name, "version": version}


def server_version(info: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name and the version of a server.

    Args:
        info: The fields of INFO. Valkey states the version of Redis with which it is compatible as `redis_version`.
    """
    if "valkey_version" in info:
        return "valkey", str(info["valkey_version"])
    return "redis", str(info.get("redis_version", UNKNOWN))
