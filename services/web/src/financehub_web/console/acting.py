"""What pages need to offer actions: whether the user may act, and what the last action has done."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import redis
from starlette.requests import Request

from financehub_shared.redis.explanations import shorten
from financehub_web.access.tokens import Role
from financehub_web.access.users import User
from financehub_web.actions.audit import AuditEntry
from financehub_web.actions.registry import Actions
from financehub_web.console.links import DONE


def actions_of(request: Request) -> Actions:
    """Return the actions of the application that handles a request."""
    return cast("Actions", request.app.state.actions)


def may_act(request: Request) -> bool:
    """Whether the user of a request may execute actions, so that a page offers them."""
    user: User | None = getattr(request.state, "user", None)
    return actions_of(request).are_enabled and user is not None and user.role is Role.OPERATOR


@dataclass(frozen=True, slots=True)
class AuditReading:
    """What a page read from the audit log.

    Args:
        entries: The entries.
        problem: Why it could not be read; empty if it could.
    """

    entries: Sequence[AuditEntry]
    problem: str = ""


def newest_actions(request: Request) -> AuditReading:
    """Return the newest entries of the audit log, newest first. Every user may read them."""
    return _read(actions_of(request).audit.newest)


def last_action(request: Request) -> AuditReading:
    """Return the entry of the audit log that the address names, or none if there is none."""
    id = request.query_params.get(DONE, "")
    return _read(lambda: [entry for entry in [actions_of(request).audit.find(id)] if entry]) if id else AuditReading([])


def _read(read: Callable[[], Sequence[AuditEntry]]) -> AuditReading:
    try:
        return AuditReading(read())
    except redis.RedisError as error:
        return AuditReading([], f"The audit log cannot be read now: {shorten(error)}.")
