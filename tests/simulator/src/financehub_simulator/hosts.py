"""From the real services' host names to the simulator's prefixes, for clients that reach it through the TLS port."""

from starlette.types import Scope

from financehub_simulator.upstreams.catalog import ALL
from financehub_simulator.upstreams.rss import FEEDS

#: Host and path of real feeds → path of the simulator.
_FEED_PATHS = {feed.real: f"/rss/{name}" for name, feed in FEEDS.items() if feed.real}
HOSTS = {host: upstream.name for upstream in ALL for host in upstream.hosts}


def upstream_of(host: str) -> str | None:
    """The upstream a host name belongs to; None if it is none of theirs."""
    name = host.lower().split(":")[0]
    return HOSTS.get(name) or HOSTS.get(f"*.{name.split('.', 1)[-1]}")


def is_simulated(host: str) -> bool:
    """Whether a host name is one the simulator stands in for."""
    name = host.lower().split(":")[0]
    return upstream_of(name) is not None or any(real.startswith(f"{name}/") for real in _FEED_PATHS)


def prefixed(scope: Scope) -> Scope:
    """The scope with the upstream's prefix before its path, if the Host header is that of a real service."""
    host = next((value.decode("latin-1") for key, value in scope["headers"] if key == b"host"), "")
    name = host.lower().split(":")[0]
    path = _FEED_PATHS.get(name + scope["path"])
    if path is None:
        upstream = upstream_of(name)
        if upstream is None:
            return scope
        path = f"/{upstream}{scope['path']}"
    return {**scope, "path": path, "raw_path": path.encode()}
