"""From the real services' host names to the simulator's prefixes, for clients that reach it through the TLS port."""

from starlette.types import Scope

from financehub_simulator.upstreams.catalog import ALL
from financehub_simulator.upstreams.rss import FEEDS

#: Host and path of real feeds → path of the simulator.
_FEED_PATHS = {feed.real: f"/rss/{name}" for name, feed in FEEDS.items() if feed.real}
_FEED_HOSTS = frozenset(real.split("/", 1)[0] for real in _FEED_PATHS)
_UPSTREAMS = {host: upstream.name for upstream in ALL for host in upstream.hosts}


def real_hosts() -> list[str]:
    """Every host name the simulator stands in for, wildcards included."""
    return sorted({*_UPSTREAMS, *_FEED_HOSTS})


def _plain(host: str) -> str:
    return host.lower().rsplit(":", 1)[0]


def _upstream_of(name: str) -> str | None:
    return _UPSTREAMS.get(name) or _UPSTREAMS.get(f"*.{name.split('.', 1)[-1]}")


def is_simulated(host: str) -> bool:
    """Whether a host name is one the simulator stands in for."""
    name = _plain(host)
    return name in _FEED_HOSTS or _upstream_of(name) is not None


def prefixed(scope: Scope) -> Scope:
    """The scope with the upstream's prefix before its path, if the Host header is that of a real service."""
    name = _plain(next((value.decode("latin-1") for key, value in scope["headers"] if key == b"host"), ""))
    path = _FEED_PATHS.get(name + scope["path"])
    if path is None:
        upstream = _upstream_of(name)
        if upstream is None:
            return scope
        path = f"/{upstream}{scope['path']}"
    return {**scope, "path": path, "raw_path": path.encode()}
