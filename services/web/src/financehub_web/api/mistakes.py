"""Explains mistakes in a request: an unknown path, an unknown parameter, or a value that is not allowed."""

from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from financehub_shared.core.near_names import similar_names
from financehub_web.api.errors import ApiError
from financehub_web.http.paths import path_of

#: Characters of a path or a value that an explanation repeats.
_SHOWN = 200


def invalid_request(request: Request, error: RequestValidationError) -> ApiError:
    """Explain the first wrong parameter, and for an unknown one name the parameters that the client may have meant."""
    first = error.errors()[0]
    name = str(first["loc"][-1])[:_SHOWN]
    if first["type"] == "extra_forbidden":
        known = sorted(_parameters_of(request))
        near = similar_names(name, known)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known parameters: {', '.join(known) or 'none'}"
        detail = f"unknown query parameter {name!r}; {hint}"
        return ApiError(HTTPStatus.BAD_REQUEST, "unknown-parameter", detail, near=near)
    place = ".".join(str(part) for part in first["loc"][1:]) or name
    problem = first["msg"].removeprefix("Value error, ")
    given = first.get("input")
    allowed = _allowed_values(first)
    near = similar_names(given, allowed) if isinstance(given, str) else []
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    shown = f" {given[:_SHOWN]!r}" if isinstance(given, str) else ""
    return ApiError(HTTPStatus.BAD_REQUEST, "invalid-parameter", f"{place}{shown}: {problem}{hint}", near=near)


def unknown_path(request: Request) -> ApiError:
    """Explain that a path does not exist, with the paths that the client may have meant."""
    path = path_of(request.scope)[:_SHOWN]
    known = list(request.app.openapi()["paths"])
    near = similar_names(path, known)
    hint = f"did you mean {' or '.join(near)}?" if near else "GET /api/v1/docs lists all paths"
    return ApiError(HTTPStatus.NOT_FOUND, "unknown-path", f"{path} does not exist; {hint}", near=near)


def _parameters_of(request: Request) -> list[str]:
    """Return the names of the query parameters of the request's route."""
    dependant = getattr(request.scope.get("route"), "dependant", None)
    names: list[str] = []
    for parameter in getattr(dependant, "query_params", ()):
        fields = getattr(parameter.field_info.annotation, "model_fields", None)
        names += [field.alias or name for name, field in fields.items()] if fields is not None else [parameter.alias]
    return names


def _allowed_values(error: Any) -> list[str]:
    """Return the values of a parameter with a fixed set of values."""
    expected = str(error.get("ctx", {}).get("expected", ""))
    return [value.strip("'") for value in expected.replace(" or ", ", ").split(", ") if value]
