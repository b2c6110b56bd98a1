"""Maps real host names to path prefixes of the simulator, for clients of its TLS port."""

from starlette.types import Scope

from financehub_simulator.upstreams.catalog import ALL_UPSTREAMS
from financehub_simulator.upstreams.rss import FEEDS

#: Host and path of real feeds → path in the simulator.
_FEED_PATHS = {feed.real_address: f"/rss/{name}" for name, feed in FEEDS.items() if feed.real_address}
_FEED_HOSTS = frozenset(address.split("/", 1)[0] for address in _FEED_PATHS)
#: Host name → name of the upstream. Wildcards are included.
_UPSTREAM_HOSTS = {host: upstream.name for upstream in ALL_UPSTREAMS for host in upstream.hosts}


def real_hosts() -> list[str]:
    """Return every host name that the simulator imitates, including wildcards."""
    return sorted({*_UPSTREAM_HOSTS, *_FEED_HOSTS})


def _without_port(host: str) -> str:
    return host.lower().rsplit(":", 1)[0]


def _upstream_of(host_name: str) -> str | None:
    return _UPSTREAM_HOSTS.get(host_name) or _UPSTREAM_HOSTS.get(f"*.{host_name.split('.', 1)[-1]}")


def is_simulated(host: str) -> bool:
    """Whether the simulator imitates this host, given with or without a port."""
    host_name = _without_port(host)
    return host_name in _FEED_HOSTS or _upstream_of(host_name) is not None


def with_upstream_prefix(scope: Scope) -> Scope:
    """Return the scope. If the Host header names a real service, the path includes the upstream's prefix."""
    header = next((value.decode("latin-1") for key, value in scope["headers"] if key == b"host"), "")
    host_name = _without_port(header)
    path = _FEED_PATHS.get(host_name + scope["path"])
    if path is None:
        upstream = _upstream_of(host_name)
        if upstream is None:
            return scope
        path = f"/{upstream}{scope['path']}"
    return {**scope, "path": path, "raw_path": path.encode()}
