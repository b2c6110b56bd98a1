"""The pages with which an operator executes actions. Each action has a page that asks, and works without JavaScript.

After an action, the browser is sent to a page whose address names the entry of the audit log. That page shows the
entry, so a link cannot make the console show other texts.
"""

from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import parse_qs

import redis
import structlog
from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from financehub_shared.core.errors import FinanceHubError, StoreUnavailableError
from financehub_shared.redis.explanations import shorten
from financehub_web.access.users import User
from financehub_web.actions.base import Action, ActionRefusedError, Form, Preview
from financehub_web.actions.registry import Actions
from financehub_web.console.acting import actions_of, may_act
from financehub_web.console.errors import PageError
from financehub_web.console.headers import SAFE_HEADERS
from financehub_web.console.links import Links
from financehub_web.console.page import show
from financehub_web.console.routing import page

log = structlog.get_logger(__name__)
router = APIRouter()
#: Largest form in bytes: a thousand ids of dead letters.
_MOST_BYTES = 100_000


@page(router, "/actions/{name}", "action")
def ask(request: Request, name: str, actions: Annotated[Actions, Depends(actions_of)]) -> Response:
    """Show what an action will do."""
    if not may_act(request):
        detail = "This console is read-only for you. docs/console.md describes the mode `write` and the roles."
        raise PageError(HTTPStatus.FORBIDDEN, "You cannot change anything here", detail)
    action = _find(actions, name)
    values = {key: request.query_params.getlist(key) for key in request.query_params}
    form = _read(action, values)
    return _show_preview(request, action, _preview(action, form))


@router.post("/actions/{name}", response_class=Response, response_model=None)
async def execute(request: Request, name: str, actions: Annotated[Actions, Depends(actions_of)]) -> Response:
    """Execute an action. The gate has checked the user and the origin of the request."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            detail = f"The form has more than {_MOST_BYTES:,} bytes. Select fewer rows."
            raise PageError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The form is too large", detail)
    values = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=2_000)
    return await run_in_threadpool(_execute, request, _find(actions, name), actions, values)


def _execute(request: Request, action: Action, actions: Actions, values: dict[str, list[str]]) -> Response:
    form = _read(action, values)
    user: User = request.state.user
    details = form.model_dump(mode="json", exclude_defaults=True)
    try:
        outcome = action.execute(form)
    except (StoreUnavailableError, redis.RedisError) as error:
        # The audit log is in the same Redis, so only the log of the process tells about this.
        log.warning("console_action_unconfirmed", user=user.name, action=action.name, details=details, exc_info=error)
        detail = f"Redis did not confirm the action, so it may have been executed: {shorten(error)}. Check its effect."
        raise PageError(HTTPStatus.SERVICE_UNAVAILABLE, "It is not known whether this was done", detail) from error
    except FinanceHubError as error:
        actions.audit.record(user.name, action.name, str(error), succeeded=False, details=details)
        return _show_preview(request, action, _preview(action, form), problem=str(error))
    entry = actions.audit.record(user.name, action.name, outcome.text, details=details)
    address = Links(request).page(outcome.page, **outcome.parameters)
    return RedirectResponse(f"{address}?done={entry.id}", HTTPStatus.SEE_OTHER, SAFE_HEADERS)


def _find(actions: Actions, name: str) -> Action:
    action = actions.by_name.get(name)
    if action is None:
        raise PageError(
            HTTPStatus.NOT_FOUND, "There is no such action", f"Known actions: {', '.join(actions.by_name)}."
        )
    return action


def _read(action: Action, values: dict[str, list[str]]) -> Form:
    """Return the form of an action from the values of a request.

    Raises:
        PageError: A value is missing, unknown or wrong.
    """
    lists = {name for name, field in action.form.model_fields.items() if "list" in str(field.annotation)}
    given: dict[str, Any] = {name: each if name in lists else each[-1] for name, each in values.items()}
    try:
        return action.form.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PageError(HTTPStatus.BAD_REQUEST, "This form is not valid", f"{place}: {first['msg']}.") from None


def _preview(action: Action, form: Form) -> Preview:
    try:
        return action.preview(form)
    except ActionRefusedError as error:
        raise PageError(HTTPStatus.CONFLICT, "Nothing was changed", str(error)) from error
    except StoreUnavailableError:
        raise
    except FinanceHubError as error:
        raise PageError(HTTPStatus.BAD_REQUEST, "This is not possible", f"{error}.") from error


def _show_preview(request: Request, action: Action, preview: Preview, *, problem: str = "") -> Response:
    values = {"action": action, "preview": preview, "problem": problem}
    status = HTTPStatus.CONFLICT if problem else HTTPStatus.OK
    return show(request, "action.html", action.title, action.section, values, status=status, live=False)
