"""`/api/v1/docs`: the documentation of the API as a page without scripts, made from the OpenAPI document."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response

from financehub_web.api.answers import send_body
from financehub_web.api.bodies import Body
from financehub_web.api.etags import tag_of
from financehub_web.api.openapi import document_of
from financehub_web.api.parameters import NoQuery
from financehub_web.api.routing import API

router = APIRouter(prefix=API, include_in_schema=False)

_FOLDER = Path(__file__).parent / "templates"
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


@router.get("/docs")
def show_docs(request: Request, _: Annotated[NoQuery, Query()]) -> Response:
    """Return the page."""
    return _send(request, _page(document_of(request.app)), "text/html; charset=utf-8")


@router.get("/docs.css")
def show_style(request: Request, _: Annotated[NoQuery, Query()]) -> Response:
    """Return its style sheet."""
    return _send(request, (_FOLDER / "docs.css").read_bytes(), "text/css; charset=utf-8")


def _send(request: Request, content: bytes, media_type: str) -> Response:
    response = send_body(request, Body(content, media_type, tag_of(content)))
    response.headers.update(_SAFE)
    return response


def _page(document: Mapping[str, Any]) -> bytes:
    operations = list(_operations(document))
    errors = [
        (status, response["description"])
        for status, response in next(iter(document["paths"].values()))["get"]["responses"].items()
        if status != "200"
    ]
    template = _ENVIRONMENT.get_template("docs.html")
    return template.render(info=document["info"], operations=operations, errors=errors).encode()


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what the page says about each operation."""
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        operation = methods["get"]
        parameters = [
            {
                "name": each["name"],
                "place": each["in"],
                "type": _type_text(each["schema"]),
                "default": each["schema"].get("default", "") or "",
                "description": each.get("description", ""),
            }
            for each in operation.get("parameters", [])
        ]
        content = operation["responses"]["200"].get("content", {})
        view = _view_of(content.get("application/json", {}).get("schema", {}), schemas)
        fields = [
            {"name": name, "type": _type_text(field), "description": field.get("description", "")}
            for name, field in schemas.get(view, {}).get("properties", {}).items()
        ]
        yield {
            "id": operation["operationId"],
            "path": path,
            "description": operation.get("description", ""),
            "parameters": parameters,
            "fields": fields,
            "result": schemas.get(view, {}).get("description", ""),
        }


def _view_of(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """Return the name of the schema of the records in an answer."""
    data = schemas.get(_name_of(schema), {}).get("properties", {}).get("data", {})
    return _name_of(data.get("items", data))


def _name_of(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _type_text(schema: Mapping[str, Any]) -> str:
    """Return a type in words, such as `string (date-time) or null`."""
    if "anyOf" in schema:
        return " or ".join(_type_text(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if "$ref" in schema:
        return _name_of(schema)
    if schema.get("type") == "array":
        return f"list of {_type_text(schema.get('items', {}))}"
    form = f" ({schema['format']})" if "format" in schema else ""
    return f"{schema.get('type', 'any value')}{form}"
