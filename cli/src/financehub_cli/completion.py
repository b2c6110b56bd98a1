"""Completes symbols, tasks, schedules and upstreams in the shell, but nothing if Redis is unavailable.

Typer recognizes the parameter that receives the incomplete word by its name. Every command has such parameters, so
what the completion reads is imported when the user presses Tab.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from financehub_shared.core.errors import CorruptDataError, FinanceHubError

if TYPE_CHECKING:  # the help of a command needs no Redis client
    from financehub_cli.session import Session

#: Timeout in seconds for one Redis reply. A longer wait would block the shell noticeably.
COMPLETION_TIMEOUT_SECONDS = 0.5


def complete_tasks(incomplete: str) -> list[str]:
    """Return the names of the catalog's tasks that start with `incomplete`."""
    from financehub_shared.core.catalog import CATALOG

    return [task for task in CATALOG if task.startswith(incomplete)]


def complete_symbols(incomplete: str) -> list[str]:
    """Return the symbols of active and inactive assets that start with `incomplete`."""
    return _complete(incomplete, lambda session: (asset.symbol for asset in session.store.assets(active_only=False)))


def complete_schedules(incomplete: str) -> list[str]:
    """Return the full names of schedules that start with `incomplete`."""
    from financehub_shared.schedules.listing import list_schedules

    return _complete(incomplete, lambda session: (info.name for info in list_schedules(session.broker_client)))


def complete_upstreams(incomplete: str) -> list[str]:
    """Return the upstreams whose breaker has been used and whose name starts with `incomplete`."""
    from financehub_shared.breaker.admin import list_breakers

    return _complete(incomplete, lambda session: (info.upstream for info in list_breakers(session.store_client)))


def _ignore(error: CorruptDataError) -> None:
    """Report nothing, because a note would disturb the command line that the user is typing."""


def _complete(incomplete: str, read_names: "Callable[[Session], Iterable[str]]") -> list[str]:
    import redis

    from financehub_cli.session import Session

    try:
        names = list(read_names(Session(timeout=COMPLETION_TIMEOUT_SECONDS, report=_ignore)))
    except (FinanceHubError, redis.RedisError):
        return []
    # The shell inserts a completion into the command line, where a control character could do anything.
    return [name for name in names if name.startswith(incomplete) and name.isprintable()]
