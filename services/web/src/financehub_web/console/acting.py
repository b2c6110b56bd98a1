"""What pages need to offer actions: whether the user may act, and what the last action has done."""

from typing import cast

import redis
from starlette.requests import Request

from financehub_web.access.tokens import Role
from financehub_web.access.users import User
from financehub_web.actions.audit import AuditEntry
from financehub_web.actions.registry import Actions


def actions_of(request: Request) -> Actions:
    """Return the actions of the application that handles a request."""
    return cast("Actions", request.app.state.actions)


def may_act(request: Request) -> bool:
    """Whether the user of a request may execute actions, so that a page offers them."""
    user: User | None = getattr(request.state, "user", None)
    return actions_of(request).are_enabled and user is not None and user.role is Role.OPERATOR


def newest_actions(request: Request) -> list[AuditEntry]:
    """Return the newest entries of the audit log for an operator, newest first; empty if Redis does not answer."""
    if not may_act(request):
        return []
    try:
        return actions_of(request).audit.newest()
    except redis.RedisError:
        return []


def last_action(request: Request) -> AuditEntry | None:
    """Return the entry of the audit log that the address names, or None if there is none or Redis does not answer."""
    id = request.query_params.get("done", "")
    if not id or not may_act(request):
        return None
    try:
        return actions_of(request).audit.find(id)
    except redis.RedisError:
        return None
