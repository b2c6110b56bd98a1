"""The pages with which an operator executes actions. Each action has a page that asks, and works without JavaScript.

After an action, the browser is sent to a page whose address names the entry of the audit log. That page shows the
entry, so a link cannot make the console show other texts.
"""

from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

import redis
import structlog
from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from financehub_shared.core.errors import FinanceHubError, StoreUnavailableError
from financehub_shared.redis.explanations import shorten
from financehub_web.access.users import User
from financehub_web.actions.audit import AuditEntry
from financehub_web.actions.base import Action, ActionRefusedError, Form, Preview
from financehub_web.actions.form_keys import is_form_key, new_form_key
from financehub_web.actions.registry import Actions
from financehub_web.console.acting import actions_of, may_act
from financehub_web.console.errors import PageError
from financehub_web.console.forms import read_form
from financehub_web.console.headers import SAFE_HEADERS
from financehub_web.console.links import DONE, Links
from financehub_web.console.page import show
from financehub_web.console.routing import page
from financehub_web.console.sentences import problem_of, sentence_of
from financehub_web.reading.fleet import fleet_of

log = structlog.get_logger(__name__)
router = APIRouter()
#: Name of the field with the key of a form.
_FORM_KEY = "form_key"


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
    values = await read_form(request)
    return await run_in_threadpool(_execute, request, _find(actions, name), actions, values)


def _execute(request: Request, action: Action, actions: Actions, values: dict[str, list[str]]) -> Response:
    key = values.pop(_FORM_KEY, [""])[-1]
    form = _read(action, values)
    _take(actions, key)
    user: User = request.state.user
    details = form.model_dump(mode="json", exclude_defaults=True)
    record = partial(_record, actions, user.name, action.name, details)
    try:
        outcome = action.execute_for(user.name, form)
    except (StoreUnavailableError, redis.RedisError) as error:
        log.warning("console_action_unconfirmed", user=user.name, action=action.name, exc_info=error)
        detail = f"Redis did not confirm the action, so it may have been executed: {shorten(error)}. Check its effect."
        _, note = record(detail, succeeded=False)
        detail = f"{detail} {note}".rstrip()
        raise PageError(HTTPStatus.SERVICE_UNAVAILABLE, "It is not known whether this was done", detail) from error
    except FinanceHubError as error:
        problem = sentence_of(error)
        _, note = record(problem, succeeded=False)
        return _show_preview(request, action, _preview(action, form), problem=problem, note=note)
    fleet_of(request).expire()
    entry, note = record(outcome.text, succeeded=True)
    address = Links(request).page(outcome.page, **outcome.parameters)
    if entry is None:
        shown = {"action": action, "outcome": outcome, "note": note, "address": address}
        return show(request, "outcome.html", action.title, action.section, shown, live=False)
    return RedirectResponse(f"{address}?{DONE}={entry.id}", HTTPStatus.SEE_OTHER, SAFE_HEADERS)


def _take(actions: Actions, key: str) -> None:
    """Use the key of a form. A program needs none.

    Raises:
        PageError: The key is wrong or was used before, or Redis did not answer. Nothing was changed.
    """
    if not key:
        return
    if not is_form_key(key):
        raise PageError(
            HTTPStatus.BAD_REQUEST, "This form is not valid", f"{_FORM_KEY}: this is not the key of a form."
        )
    try:
        is_new = actions.form_keys.take(key)
    except redis.RedisError as error:
        detail = f"{shorten(error)}. Nothing was changed. Try again when it answers."
        raise PageError(HTTPStatus.SERVICE_UNAVAILABLE, "Redis does not answer", detail) from error
    if not is_new:
        detail = "A form is executed only once, also after a double click. About shows what was done."
        raise PageError(HTTPStatus.CONFLICT, "This form was sent before", detail)


def _record(
    actions: Actions, user: str, action: str, details: dict[str, Any], text: str, *, succeeded: bool
) -> tuple[AuditEntry | None, str]:
    """Record what was done, and return the entry, or None and the note for the user that it could not be written."""
    try:
        return actions.audit.record(user, action, text, succeeded=succeeded, details=details), ""
    except redis.RedisError as error:
        log.warning("audit_log_not_written", user=user, action=action, exc_info=error)
        return None, f"The audit log could not be written: {shorten(error)}. The log of the web process has the entry."


def _find(actions: Actions, name: str) -> Action:
    action = actions.by_name.get(name)
    if action is None:
        raise PageError(
            HTTPStatus.NOT_FOUND, "This action does not exist", f"Known actions: {', '.join(actions.by_name)}."
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
        detail = problem_of(error)
        raise PageError(HTTPStatus.BAD_REQUEST, "This form is not valid", detail, section=action.section) from None


def _preview(action: Action, form: Form) -> Preview:
    """Return what the page of an action shows.

    Raises:
        PageError: The action is not possible.
        StoreUnavailableError: Redis did not answer. Nothing was changed.
    """
    try:
        return action.preview(form)
    except ActionRefusedError as error:
        detail = sentence_of(error)
        raise PageError(HTTPStatus.CONFLICT, "Nothing was changed", detail, section=action.section) from error
    except StoreUnavailableError:
        raise
    except redis.RedisError as error:
        log.warning("console_action_not_shown", action=action.name, reason=shorten(error))
        raise StoreUnavailableError(f"Redis does not answer: {shorten(error)}") from error
    except FinanceHubError as error:
        detail = sentence_of(error)
        raise PageError(HTTPStatus.BAD_REQUEST, "This is not possible", detail, section=action.section) from error


def _show_preview(request: Request, action: Action, preview: Preview, *, problem: str = "", note: str = "") -> Response:
    values = {"action": action, "preview": preview, "problem": problem, "note": note, "form_key": new_form_key()}
    status = HTTPStatus.CONFLICT if problem else HTTPStatus.OK
    return show(request, "action.html", action.title, action.section, values, status=status, live=False)
