"""Opens, closes and resets the circuit breakers of upstreams."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import redis

from financehub_shared.breaker import close, force_open, list_breakers, reset
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.near_names import require_known
from financehub_shared.core.provider_specs import PROVIDERS


class _Change(Protocol):
    def __call__(self, client: "redis.Redis", upstream: str, by: str, reason: str) -> Any: ...


#: Action → what it does to one breaker. `open` rejects all calls until somebody closes or resets the breaker, `close`
#: allows calls and restarts the counts, and `reset` replaces the breaker with a new, closed one.
ACTIONS: Mapping[str, _Change] = {"open": force_open, "close": close, "reset": reset}


def change_breakers(client: "redis.Redis", action: str, upstreams: Sequence[str], *, by: str, reason: str) -> list[str]:
    """Change the breakers of upstreams, and return the names of the changed breakers.

    Args:
        client: Client for the data Redis, which holds the breakers.
        action: One of `ACTIONS`.
        upstreams: Names of providers or of breakers that have been used. A provider whose parts have their own
            breakers, such as rss, means all of its breakers that have been used.
        by: Who does it: the name of a user, or `command line`.
        reason: Why, for everybody who sees the breaker; may be empty.

    Raises:
        UnknownNameError: An upstream is unknown. No breaker was changed.
        ConfigError: None of the parts of an upstream has been used. No breaker was changed.
    """
    names = [name for upstream in upstreams for name in find_breakers(client, upstream)]
    for name in names:
        ACTIONS[action](client, name, by, reason)
    return names


def find_breakers(client: "redis.Redis", upstream: str) -> list[str]:
    """Return the names of an upstream's breakers. There are several if each of its parts has its own.

    The breaker of a provider without parts can be changed before its first use.

    Args:
        client: Client for the data Redis, which holds the breakers.
        upstream: Name of a provider, or of a breaker that has been used.

    Raises:
        UnknownNameError: The upstream is unknown.
        ConfigError: None of its parts has been used.
    """
    used = [info.upstream for info in list_breakers(client)]
    require_known("upstream", upstream, {*PROVIDERS, *used})
    if upstream not in PROVIDERS or not PROVIDERS[upstream].has_parts:
        return [upstream]
    parts = [name for name in used if name.startswith(f"{upstream}:")]
    if not parts:
        raise ConfigError(f"{upstream}: each of its feeds has its own breaker, and none has been used yet")
    return parts
