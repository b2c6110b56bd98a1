"""The OpenAPI document of the API, which is generated from the models of the views and the parameters."""

from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.responses import Response

from financehub_shared.core.text import dump_json
from financehub_web.api.answers import JSON, require_type, send_body
from financehub_web.api.bodies import Body
from financehub_web.api.etags import tag_of
from financehub_web.api.parameters import NoQuery
from financehub_web.api.problems import Problem
from financehub_web.api.routing import API

router = APIRouter(prefix=API, include_in_schema=False)

_DESCRIPTION = """\
Read-only access to everything that FinanceHub stores.

Times are ISO 8601 in UTC. Decimals are strings, so that no digit is lost; `numbers=float` returns JSON numbers. Lists
have pages: pass `next_page_token` of one page as `page_token` of the next. `fields` selects keys, and `format=csv` or
`Accept: text/csv` returns a table. Every answer has a weak ETag; with `If-None-Match`, an unchanged one is 304. Errors
are problem documents (RFC 9457).
"""
#: Name → how a client shows which user it is.
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token of the tokens file."},
    "basic": {"type": "http", "scheme": "basic", "description": "The token as the password, with any name."},
}
#: Each scheme is enough, and none is needed if no users are configured, or if a trusted proxy names the user.
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"basic": []}, {}]


def operation_id(route: APIRoute) -> str:
    """Return the id of an operation, which is the name of its function."""
    return route.name


def document_of(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an application, and keep it in `app.openapi_schema`."""
    if app.openapi_schema is None:
        document = get_openapi(
            title="FinanceHub read API",
            version=app.version,
            openapi_version="3.1.0",
            description=_DESCRIPTION,
            routes=app.routes,
        )
        _describe_errors(document)
        document["components"]["securitySchemes"] = _SCHEMES
        document["security"] = _SECURITY
        app.openapi_schema = document
    return app.openapi_schema


def _describe_errors(document: dict[str, Any]) -> None:
    """Replace the errors of FastAPI's own validation by ours, and describe lists as texts with commas."""
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = TypeAdapter(Problem).json_schema(ref_template="#/components/schemas/{model}")
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "query" and parameter["schema"].get("type") == "array":
                    parameter |= {"style": "form", "explode": False}


@router.get("/openapi.json")
def show_document(request: Request, _: Annotated[NoQuery, Query()]) -> Response:
    """Return the OpenAPI document."""
    require_type(request, [JSON])
    content = dump_json(document_of(request.app)).encode()
    return send_body(request, Body(content, JSON, tag_of(content)))
