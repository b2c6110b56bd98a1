"""Turns the records of a route into its response: selected fields, JSON or CSV, ETag and 304."""

import csv
import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Generic, TypeVar, get_type_hints

from fastapi import Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from financehub_shared.core.text import dump_json
from financehub_shared.views.formats import iso_time
from financehub_web.api.parameters import Query
from financehub_web.api.problems import ApiError, near_names

T = TypeVar("T")

#: A proxy or browser asks again each time, and gets 304 if nothing has changed.
CACHE_CONTROL = "private, no-cache"
#: Keys whose values change with every request. Two answers that differ only in them have the same ETag.
_CHANGING = re.compile(rb'"(?:as_of|age_seconds|next_in_seconds)":[^,}]*')
#: Text cells that begin with one of these could be run as formulas by a spreadsheet.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


class Meta(BaseModel):
    """What is known about the records of an answer."""

    as_of: str = Field(description="The time at which the records were read, ISO 8601 in UTC.")
    warnings: list[str] = Field(description="What is missing in the records, and why.")


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    data: list[T]
    meta: Meta
    next_page_token: str | None = Field(description="The `page_token` of the next page. Null at the end of the list.")


class Item(BaseModel, Generic[T]):
    """One object."""

    data: T
    meta: Meta


@dataclass(frozen=True, slots=True)
class Answer:
    """The records of one response.

    Args:
        data: One view or a list of views.
        as_of: Time of the reading in Unix seconds.
        view: The class of the views.
        warnings: What is missing in the records, and why.
        next_page_token: The token of the next page of a list.
    """

    data: Any
    as_of: float
    view: type[Any]
    warnings: Sequence[str] = field(default_factory=list)
    next_page_token: str | None = None


def respond(request: Request, answer: Answer, query: Query) -> Response:
    """Return the response to a request.

    Raises:
        ApiError: `fields` contains an unknown key.
    """
    names = _selected(query.fields, answer.view)
    is_list = isinstance(answer.data, list)
    records = answer.data if is_list else [answer.data]
    if query.numbers == "float":
        decimals = _decimal_keys(answer.view)
        records = [_with_numbers(record, decimals) for record in records]
    if query.fields:
        records = [{name: record[name] for name in names} for record in records]
    if getattr(query, "format", "json") == "csv":
        return _response(request, _csv(records, names).encode(), "text/csv; charset=utf-8; header=present")
    body: dict[str, Any] = {
        "data": records if is_list else records[0],
        "meta": {"as_of": iso_time(answer.as_of), "warnings": list(answer.warnings)},
    }
    if is_list:
        body["next_page_token"] = answer.next_page_token
    return _response(request, dump_json(body).encode(), "application/json")


def _response(request: Request, body: bytes, media_type: str) -> Response:
    tag = f'W/"{hashlib.blake2b(_CHANGING.sub(b"", body), digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": CACHE_CONTROL, "Vary": "Accept-Encoding"}
    known = request.headers.get("If-None-Match", "")
    if tag in known or known.strip() == "*":
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, headers=headers, media_type=media_type)


def _selected(fields: Sequence[str], view: type[Any]) -> list[str]:
    """Return the names of the selected keys of a view."""
    known = list(view.__annotations__)
    for name in fields:
        if name not in known:
            near = near_names(name, known)
            hint = f"did you mean {' or '.join(near)}?" if near else f"known fields: {', '.join(known)}"
            detail = f"fields: unknown field {name!r}; {hint}"
            raise ApiError(HTTPStatus.BAD_REQUEST, "unknown-field", detail, near=near)
    return list(fields) or known


def _decimal_keys(view: type[Any]) -> set[str]:
    """Return the keys of a view that are decimals in strings."""
    hints = get_type_hints(view, include_extras=True)
    return {name for name, hint in hints.items() if "'format': 'decimal'" in repr(hint)}


def _with_numbers(record: Mapping[str, Any], decimals: set[str]) -> dict[str, Any]:
    """Return a view with JSON numbers instead of decimal strings."""
    return {name: float(value) if name in decimals and value is not None else value for name, value in record.items()}


def _csv(records: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Return records as CSV (RFC 4180). Nested values are JSON."""
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow(names)
    for record in records:
        writer.writerow([_cell(record[name]) for name in names])
    return output.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULAS) and not _is_number(value) else value
    return dump_json(value) if isinstance(value, dict | list | tuple) else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
