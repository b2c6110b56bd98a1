"""Tests that the OpenAPI document is committed, and that every answer conforms to it."""

import base64
import hashlib
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
from financehub_web.api.problems import Problem
from integration.web.test_api import ITEMS, LISTS
from support.full_redis import SYMBOLS
from support.web_server import WebServer, serving

#: The server refuses longer URLs before it reads them.
LONGEST_QUERY = 5_000
ROOT = Path(__file__).parents[3]
TOOL = ROOT / "services" / "web" / "tools" / "make_openapi.py"
DOCUMENT = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
TOKEN = "a-token-0123456789"
#: The user whom a trusted proxy names.
_PROXY: dict[str, object] = {"web_user_header": "X-User", "web_trusted_proxies": ["127.0.0.1"]}
_WRITABLE: dict[str, object] = {"web_mode": "write", "web_host": "localhost"}
#: Code of a problem → the settings that lead to it, the method, the headers and the status. `tokens` is a tokens file.
REFUSALS: dict[str, tuple[dict[str, object], str, list[tuple[str, str]], int]] = {
    "user-required": ({"tokens": True}, "GET", [], 401),
    "unknown-token": ({"tokens": True}, "GET", [("Authorization", "Bearer unknown")], 401),
    "untrusted-proxy": (_PROXY | {"web_trusted_proxies": ["192.0.2.1"]}, "GET", [("X-User", "alice")], 401),
    "invalid-user-name": (_PROXY, "GET", [("X-User", "a" * 201)], 401),
    "repeated-header": (_PROXY, "GET", [("X-User", "alice"), ("X-User", "bob")], 401),
    "read-only": ({}, "POST", [], 403),
    "operator-required": (_PROXY | _WRITABLE, "POST", [("X-User", "alice")], 403),
    "cross-site": (_WRITABLE, "POST", [("Sec-Fetch-Site", "cross-site")], 403),
    "method-not-allowed": (_WRITABLE, "POST", [("Sec-Fetch-Site", "same-origin")], 405),
    "unknown-host": ({"web_hosts": ["console.example"]}, "GET", [], 421),
}
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


def tokens_file(folder: Path) -> Path:
    """Write a tokens file with one viewer, whose token is `TOKEN`."""
    path = folder / "tokens.yaml"
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    path.write_text(f"- {{name: alice, role: viewer, sha256: '{digest}'}}", encoding="utf-8")
    return path


@pytest.mark.parametrize("code", REFUSALS)
def test_refusals_conform_to_the_document(redis_url: str, tmp_path: Path, code: str) -> None:
    """Each refusal has a documented status, a complete problem document, and its code in docs/api.md."""
    settings, method, headers, status = REFUSALS[code]
    if "tokens" in settings:
        settings = {"web_tokens_file": tokens_file(tmp_path)}
    operation = schemathesis.openapi.from_dict(DOCUMENT, config=SchemathesisConfig())["/api/v1/assets"]["GET"]
    with serving(redis_url, **settings) as server, server.client() as client:
        answer = client.request(method, "/api/v1/assets", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().keys() == Problem.model_fields.keys()
    Problem.model_validate_json(answer.content, strict=True)
    assert str(status) in DOCUMENT["paths"]["/api/v1/assets"]["get"]["responses"]
    operation.validate_response(answer)
    assert f"`{code}`" in (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["bearer", "basic"])
def test_documented_schemes_let_a_user_in(redis_url: str, tmp_path: Path, scheme: str) -> None:
    """A program that follows the security schemes of the document may read, and they are not always needed."""
    documented = DOCUMENT["components"]["securitySchemes"][scheme]
    assert (documented["type"], documented["scheme"]) == ("http", scheme)
    assert DOCUMENT["security"] == [{"bearer": []}, {"basic": []}, {}]
    credentials = TOKEN if scheme == "bearer" else base64.b64encode(f"any:{TOKEN}".encode()).decode()
    with serving(redis_url, web_tokens_file=tokens_file(tmp_path)) as server, server.client() as client:
        headers = {"Authorization": f"{scheme} {credentials}"}
        assert client.get("/api/v1/assets", headers=headers).status_code == 200


def _template_of(path: str) -> str:
    """Return the template in the document that a path matches."""
    parts = f"/api/v1{path}".split("/")
    return next(
        template
        for template in sorted(DOCUMENT["paths"], key=lambda template: template.count("{"))
        if len(template.split("/")) == len(parts)
        and all(a == b or a.startswith("{") for a, b in zip(template.split("/"), parts, strict=True))
    )
