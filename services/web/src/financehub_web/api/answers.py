"""Turns the records of a route into its response: selected fields, JSON or CSV, ETag and 304, gzip."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.near_names import similar_names
from financehub_shared.core.text import dump_json
from financehub_shared.views import csv_text
from financehub_shared.views.formats import iso_time
from financehub_web.api.bodies import Body, BodyCache, RequestKey
from financehub_web.api.csv_headers import csv_headers, encode_warnings
from financehub_web.api.decimals import with_numbers
from financehub_web.api.errors import ApiError
from financehub_web.api.etags import CHANGING, ignored_keys, is_known, tag_of
from financehub_web.api.negotiation import best_type
from financehub_web.api.parameters import Query, TableQuery
from financehub_web.http.encodings import accepts_gzip
from financehub_web.reading.cache import Reading

T = TypeVar("T")

JSON = "application/json"
#: A proxy or browser asks again each time, and gets 304 if nothing has changed.
CACHE_CONTROL = "private, no-cache"


#: These models only document the answers, so they are built when somebody asks for the document, and not at the start.
_DOCUMENTED = ConfigDict(defer_build=True)


class Meta(BaseModel):
    """What is known about the records of an answer."""

    as_of: str = Field(description="The time at which the records were read, ISO 8601 in UTC.")
    warnings: list[str] = Field(description="What is missing in the records, and why.")


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    model_config = _DOCUMENTED
    data: list[T]
    meta: Meta
    next_page_token: str | None = Field(description="The `page_token` of the next page. Null at the end of the list.")


class Item(BaseModel, Generic[T]):
    """One object."""

    model_config = _DOCUMENTED
    data: T
    meta: Meta


@dataclass(frozen=True, slots=True)
class Answer:
    """The records of one response.

    Args:
        data: One view or a list of views.
        view: The class of the views.
        warnings: What is missing in the records, and why, in addition to the warnings of the readings.
        next_page_token: The token of the next page of a list.
        rows: The key of a single view that contains the rows of its CSV form, and the class of the rows.
    """

    data: Any
    view: type[Any]
    warnings: Sequence[str] = field(default_factory=list)
    next_page_token: str | None = None
    rows: tuple[str, type[Any]] | None = None


def respond(request: Request, query: Query, readings: Sequence[Reading[Any]], make: Callable[[], Answer]) -> Response:
    """Return the response to a request. Equal requests share it as long as the readings are the same.

    Args:
        request: The request.
        query: Its parameters.
        readings: Everything from which the answer is made.
        make: Makes the answer.

    Raises:
        ApiError: `fields` contains an unknown key, or the client accepts none of the formats.
        StoreUnavailableError: Redis does not answer, so the readings are from before.
    """
    for reading in readings:
        if reading.problem:
            raise StoreUnavailableError(reading.problem)
    is_csv = _is_csv(request, query)
    bodies: BodyCache = request.app.state.bodies
    parameters = query.model_dump_json(exclude={"format"}, exclude_defaults=True)
    key = RequestKey(request.url.path, parameters, is_csv)
    contents = tuple(reading.content for reading in readings)
    # Without the named keys that change, a new reading of the same content has the same tag.
    tag = bodies.tag(key, contents) if ignored_keys(query.fields) == CHANGING and all(contents) else None
    if tag is not None and is_known(tag, request.headers.get("If-None-Match", "")):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=_headers(tag))
    versions = tuple(reading.version for reading in readings)
    body = bodies.get(key, versions, lambda: encode(make(), query, readings, is_csv=is_csv), contents)
    return send_body(request, body)


def _headers(tag: str) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": CACHE_CONTROL, "Vary": "Accept, Accept-Encoding"}


def send_body(request: Request, body: Body) -> Response:
    """Return a body, or 304 if the client has it already."""
    headers = {**_headers(body.tag), **csv_headers(body, request.query_params)}
    if is_known(body.tag, request.headers.get("If-None-Match", "")):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if body.can_be_compressed and accepts_gzip(request.headers.get("Accept-Encoding", "")):
        headers["Content-Encoding"] = "gzip"
        return Response(body.compressed(), headers=headers, media_type=body.media_type)
    return Response(body.content, headers=headers, media_type=body.media_type)


def require_type(request: Request, offered: Sequence[str]) -> str:
    """Return the media type that the client prefers.

    Raises:
        ApiError: The client accepts none of them.
    """
    accept = request.headers.get("Accept", "")
    chosen = best_type(accept, offered)
    if chosen is None:
        detail = f"Accept: {accept}: this path has {' and '.join(offered)}"
        raise ApiError(HTTPStatus.NOT_ACCEPTABLE, "not-acceptable", detail, near=list(offered))
    return chosen


def _is_csv(request: Request, query: Query) -> bool:
    """Whether the answer is CSV, because of a parameter or of the header `Accept`."""
    if not isinstance(query, TableQuery):
        require_type(request, [JSON])
        return False
    if query.format is not None:
        return query.format == "csv"
    return require_type(request, [JSON, csv_text.MEDIA_TYPE]) == csv_text.MEDIA_TYPE


def encode(answer: Answer, query: Query, readings: Sequence[Reading[Any]], *, is_csv: bool) -> Body:
    """Return the encoded answer.

    Args:
        answer: The answer.
        query: The parameters of the request.
        readings: Everything from which the answer is made.
        is_csv: Whether the client wants CSV.

    Raises:
        ApiError: `fields` contains an unknown key.
    """
    records, view = answer.data, answer.view
    if is_csv and answer.rows is not None:
        name, view = answer.rows
        records = records[name]
    is_list = isinstance(records, list)
    rows: list[Mapping[str, Any]] = records if is_list else [records]
    names = _selected(query.fields, view)
    if query.numbers == "float":
        rows = [with_numbers(row, view) for row in rows]
    if query.fields:
        rows = [{name: row[name] for name in names} for row in rows]
    ignored = ignored_keys(query.fields)
    warnings = dict.fromkeys([*(each for reading in readings for each in reading.warnings), *answer.warnings])
    if is_csv:
        text = csv_text.to_csv(rows, names, for_spreadsheets=True)
        lasting = csv_text.to_csv(rows, [name for name in names if name not in ignored], for_spreadsheets=True)
        token, missing = answer.next_page_token, encode_warnings(list(warnings))
        # A client keeps the headers of an answer that has not changed, so they count too.
        tag = tag_of("\0".join((lasting, token or "", missing)).encode())
        media_type = f"{csv_text.MEDIA_TYPE}; charset=utf-8; header=present"
        return Body(text.encode(), media_type, tag, token, missing)
    as_of = iso_time(min(reading.at for reading in readings))
    body: dict[str, Any] = {"data": rows if is_list else rows[0], "meta": {"as_of": as_of, "warnings": list(warnings)}}
    if is_list:
        body["next_page_token"] = answer.next_page_token
    encoded = dump_json(body).encode()
    return Body(encoded, JSON, tag_of(encoded, ignored))


def _selected(fields: Sequence[str], view: type[Any]) -> list[str]:
    """Return the names of the selected keys of a view, in the order of the view.

    Raises:
        ApiError: A name is unknown.
    """
    known = list(view.__annotations__)
    for name in fields:
        if name not in known:
            near = similar_names(name, known)
            hint = f"did you mean {' or '.join(near)}?" if near else f"known fields: {', '.join(known)}"
            detail = f"fields: unknown field {name!r}; {hint}"
            raise ApiError(HTTPStatus.BAD_REQUEST, "unknown-field", detail, near=near)
    return list(fields) or known
