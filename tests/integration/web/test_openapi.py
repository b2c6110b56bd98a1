"""Tests that the OpenAPI document is committed, and that every answer conforms to it."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import redis
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig

from financehub_shared.redis import keys
from integration.web.test_api import ITEMS, LISTS
from support.full_redis import SYMBOLS
from support.web_server import WebServer

#: The server refuses longer URLs before it reads them.
LONGEST_QUERY = 5_000
ROOT = Path(__file__).parents[3]
TOOL = ROOT / "services" / "web" / "tools" / "make_openapi.py"
DOCUMENT = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m\x00é\U0001f600"


def test_committed_document_is_up_to_date() -> None:
    """docs/openapi.json is what the models yield; `make openapi` writes it."""
    code = f"import runpy; print(runpy.run_path({str(TOOL)!r})['render'](), end='')"
    rendered = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(rendered) == DOCUMENT
    assert rendered == (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")


def test_everything_in_the_document_is_described() -> None:
    """Each operation, parameter and key of a view has a description."""
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            assert operation["description"], path
            assert all(each.get("description") for each in operation.get("parameters", [])), path
    for name, schema in DOCUMENT["components"]["schemas"].items():
        if name.endswith("View"):
            assert all(field.get("description") for field in schema["properties"].values()), name


def test_documentation_page_has_every_path_and_loads_nothing(api: httpx.Client) -> None:
    """The page is made from the document, without scripts and without anything from other hosts."""
    page = api.get("/api/v1/docs")
    assert all(f"<code>GET {path}</code>" in page.text for path in DOCUMENT["paths"])
    assert "<script" not in page.text
    assert "http" not in page.text.replace("https://json-schema.org", "")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert api.get("/api/v1/docs.css").headers["content-type"].startswith("text/css")


def damage(client: redis.Redis) -> None:
    """Fill texts that come from outside with hostile characters, and damage one record of each kind."""
    client.hset(keys.SCHEDULES_REFUSED, HOSTILE, json.dumps({"message": HOSTILE}))
    client.hset(
        keys.run("task-ended"), mapping={"error": HOSTILE, "summary": json.dumps({"x": HOSTILE}), "task": HOSTILE}
    )
    client.hset(keys.task_stats("task"), "last_error", HOSTILE)
    client.hset(keys.NEWS, SYMBOLS[0], b"\xff\xfe{")
    client.hset(keys.QUOTES, SYMBOLS[0], b"\xff")
    client.hset(keys.ASSETS, "X" * 300, b"[]")
    client.set(keys.process("p-1"), HOSTILE)
    client.set(keys.bars(SYMBOLS[0]), b"\x00" * 50)


@pytest.mark.parametrize("is_hostile", [False, True], ids=["usual data", "hostile data"])
def test_answers_conform_to_the_document(server: WebServer, filled: redis.Redis, is_hostile: bool) -> None:
    """For generated and for useful requests, status, headers and body of each answer are as documented."""
    load_all_checks()
    if is_hostile:
        damage(filled)
    schema = schemathesis.openapi.from_dict(DOCUMENT, config=SchemathesisConfig())
    for operation in (result.ok() for result in schema.get_all_operations()):
        if operation.path.endswith("/stream/quotes"):
            continue

        @given(
            case=operation.as_strategy() | operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)
        )
        @settings(max_examples=2, phases=[Phase.generate], derandomize=True, suppress_health_check=list(HealthCheck))
        def check(case: schemathesis.Case) -> None:
            assume(sum(len(str(value)) for value in (case.query or {}).values()) < LONGEST_QUERY)
            answer = case.call(base_url=server.url)
            assert answer.status_code in {200, 304, 400, 404, 406}, answer.text
            case.validate_response(answer, checks=[schemathesis.checks.CHECKS.get_one("response_schema_conformance")])

        check()


@pytest.mark.parametrize("is_hostile", [False, True], ids=["usual data", "hostile data"])
def test_useful_answers_conform_to_the_document(server: WebServer, filled: redis.Redis, is_hostile: bool) -> None:
    """The answer of every route with data is valid, and no text from outside arrives with its control characters."""
    if is_hostile:
        damage(filled)
    schema = schemathesis.openapi.from_dict(DOCUMENT, config=SchemathesisConfig())
    with server.client() as client:
        for path in [*LISTS, *ITEMS]:
            answer = client.get(f"/api/v1{path}")
            template = _template_of(path)
            assert answer.status_code in ({200, 404} if is_hostile else {200}), (path, answer.text)
            schema[template]["GET"].validate_response(answer)
            assert "\x1b" not in answer.text
            assert "\u202e" not in answer.text


def _template_of(path: str) -> str:
    """Return the template in the document that a path matches."""
    parts = f"/api/v1{path}".split("/")
    return next(
        template
        for template in sorted(DOCUMENT["paths"], key=lambda template: template.count("{"))
        if len(template.split("/")) == len(parts)
        and all(a == b or a.startswith("{") for a, b in zip(template.split("/"), parts, strict=True))
    )
