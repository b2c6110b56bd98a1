"""Tests that the chart refuses exactly the values of the console with which its process would not start."""

import shutil
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import pytest
from fastapi import FastAPI

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import load_settings
from financehub_web.access.users import load_users
from financehub_web.http.routes import check_prefix
from support.chart import CHART, render
from support.web_server import WebServer

Values = dict[str, Any]

#: The templates with the settings of the console, and the one that sets missing values, which these need.
_OF_THE_CONSOLE = ("web-deployment.yaml", "settings.yaml", "check.yaml")


@pytest.fixture(scope="module")
def unchecked(tmp_path_factory: pytest.TempPathFactory) -> helm_python.Chart:
    """The chart without its refusals and all that is not the console, which renders any values of it in little time."""
    folder = tmp_path_factory.mktemp("chart") / CHART.name
    shutil.copytree(CHART, folder)
    (folder / "values.schema.json").unlink()
    for template in (folder / "templates").rglob("*.*"):
        if template.suffix != ".tpl" and template.name not in _OF_THE_CONSOLE:
            template.unlink()
    return helm_python.Chart.load(folder)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokens file with one user."""
    file = tmp_path_factory.mktemp("secret") / "tokens.yaml"
    file.write_text(f"- {{name: bob, role: viewer, sha256: '{'0' * 64}'}}", encoding="utf-8")
    return file


@cache
def _app() -> FastAPI:
    """Return the application of a console. It is the same with all settings, except for what `build_app` checks."""
    return WebServer(load_settings({})).app


def start_problem(values: Values, of: helm_python.Chart, tokens: Path) -> str:
    """Return why `build_app` would refuse the settings of a release with these values; empty if it would not.

    Args:
        values: The values of the release.
        of: The chart without its refusals.
        tokens: The file that Kubernetes would mount.
    """
    environment = render(values, of=of).environment("web")
    known = {name: value if isinstance(value, str) else "s3cret" for name, value in environment.items()}
    if known.get("FINANCEHUB_WEB_TOKENS_FILE") == "/etc/financehub/web/tokens.yaml":
        known["FINANCEHUB_WEB_TOKENS_FILE"] = str(tokens)
    try:
        settings = load_settings(known)
        load_users(settings)
        check_prefix(_app(), settings.web_prefix)
    except ConfigError as error:
        return str(error)
    return ""


def is_refused(values: Values) -> bool:
    """Whether the chart refuses these values with a sentence that explains the fix, which the schema does not have."""
    try:
        render(values)
    except helm_python.HelmError as error:
        return "validation-web.yaml" in str(error)
    return False


def _proxies(*proxies: str) -> Values:
    return {"web": {"auth": {"userHeader": "X-Forwarded-User", "trustedProxies": list(proxies)}}}


def _web(**values: Any) -> Values:
    return {"web": values}


def _rate(value: object) -> Values:
    return {"settings": {"FINANCEHUB_WEB_REQUESTS_PER_SECOND": value}}


_HEADER = {"userHeader": "X-User", "trustedProxies": ["10.0.0.0/8"]}
_ACCEPTED: list[Values] = [
    *(_web(mode="read-only"), _web(mode="write", auth={"existingSecret": "mine"}), _web(mode="write", auth=_HEADER)),
    *(_web(auth=_HEADER | {"operators": ["*", "Alice Smith"]}), _web(auth={"trustedProxies": ["10.0.0.1"]})),
    *(_web(auth=_HEADER | {"userHeader": name}) for name in ("X_User", "x-user-1")),
    *(_web(prefix=path) for path in ("", "/financehub", "/a/b/quotes", "/Quotes", "/quotes-2", "/a.b_c~d-e")),
    *(_web(hosts=[name]) for name in ("localhost", "Fin.Example.com.", "a_b.example", "bücher.example", "10.0.0.1")),
    *(_web(hosts=[name]) for name in ("::1", "[fd00::1]", "1.2.3.4.5", "xn--bcher-kva.example")),
    *(_web(origins=[text]) for text in ("https://app.example.com", "HTTP://localhost:3000", "https://[::1]:8443")),
    *(_web(origins=[text]) for text in ("https://bücher.example", "https://app.example.com:", "http://a:65535")),
    *(_proxies(text) for text in ("10.0.0.0/8", "0.0.0.0/0", "10.128.0.0/9", "10.244.1.2", "10.244.1.2/32")),
    *(_proxies(text) for text in ("::1", "::/0", "fd00::/8", "2001:db8::/29", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::")),
    *(_rate(value) for value in (60, 0.5, "1e2", ".5", "5.")),
]
_REFUSED: list[Values] = [
    *(_web(mode="write"), _web(mode="write", auth={"trustedProxies": ["10.0.0.0/8"]})),
    *(_web(auth={"userHeader": "X-User"}), _web(auth={"existingSecret": "mine", "tokensKey": ""})),
    *(_web(auth=_HEADER | {"userHeader": name}) for name in ("X User", "X-User:", "X.User")),
    *(_web(prefix=path) for path in ("financehub", "/", "/financehub/", "//a", "/a b", "/a?b", "/a%20b", "/{a}")),
    *(_web(hosts=[name]) for name in ("https://a.example", "a.example:80", "a.example/x", "*.example.com", "a..b")),
    *(_web(hosts=[name]) for name in ("a b", ".a.example", "a@b", "[a.example]", "::1::", "12345::")),
    *(_web(origins=[text]) for text in ("app.example.com", "ftp://a.example", "https://", "https://a.example/")),
    *(_web(origins=[text]) for text in ("https://a.example?", "https://a.example#x", "https://b@a.example", "null")),
    *(_web(origins=[text]) for text in ("https://a.example:port", "https://a.example:65536", "https://[::1", "*")),
    *(_proxies(text) for text in ("10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0", "256.0.0.1", "010.0.0.1")),
    *(_proxies(text) for text in ("proxy", "fd00::1/8", "::1/129", "1::2::3", "1:2:3:4:5:6:7:8:9", ":::", "1:2")),
    *(_proxies(text) for text in ("2001:db9::/31", "1:2:3:4:5:6:7::8", "10.0.0.0/8/8", "fd00::/8:1", "12345::")),
    *(_rate(value) for value in (0, -1, "many", "inf", "nan", "1,5")),
]
#: The process accepts these, although they cannot be meant, or do not have the stated effect.
_STRICTER: list[Values] = [
    # Browsers and proxies send no such paths and headers.
    *(_web(prefix="/bücher"), _web(auth=_HEADER | {"userHeader": "Benützer"})),
    # Two names in one entry, two origins, two networks or two users.
    *(_web(hosts=["a.example,b.example"]), _web(origins=["https://a.example,https://b.example"])),
    *(_proxies("10.0.0.1,10.0.0.2"), _web(auth=_HEADER | {"operators": ["Smith, Alice"]})),
    # No address of a connection is written like this.
    *(_proxies("::ffff:10.0.0.0/104"), _proxies("10.0.0.0/255.0.0.0")),
    # Operators need a header. Browsers send no origin with a space.
    *(_web(auth={"existingSecret": "mine", "operators": ["alice"]}), _web(origins=["https://a b"])),
]


def _paths() -> list[str]:
    """Return the first parts of all paths of the console and the API."""
    found: set[str] = set()
    pending = list(_app().routes)
    while pending:
        route = pending.pop()
        router = getattr(route, "original_router", None)
        if router is not None:
            pending.extend(router.routes)
        else:
            found.add(str(getattr(route, "path", "/")).split("/")[1])
    return sorted(found - {""})


@pytest.mark.parametrize("values", _ACCEPTED, ids=str)
def test_values_with_which_the_console_starts_are_accepted(
    values: Values, unchecked: helm_python.Chart, tokens: Path
) -> None:
    """The console starts with these values, and the chart accepts them."""
    assert start_problem(values, unchecked, tokens) == ""
    assert not is_refused(values)


@pytest.mark.parametrize("values", _REFUSED, ids=str)
def test_values_with_which_the_console_does_not_start_are_refused(
    values: Values, unchecked: helm_python.Chart, tokens: Path
) -> None:
    """The console would not start with these values, so the chart refuses them before an install."""
    assert start_problem(values, unchecked, tokens)
    assert is_refused(values)


@pytest.mark.parametrize("values", _STRICTER, ids=str)
def test_values_that_cannot_be_meant_are_refused(values: Values, unchecked: helm_python.Chart, tokens: Path) -> None:
    """The console would start with these values, but the chart explains why they would not do what they say."""
    assert start_problem(values, unchecked, tokens) == ""
    assert is_refused(values)


def test_every_path_of_the_console_is_refused_as_a_prefix() -> None:
    """The chart knows the first part of each path of the console and the API, below which a prefix is ambiguous."""
    assert {"api", "quotes", "static"} <= {*_paths()}
    for path in _paths():
        with pytest.raises(ConfigError):
            check_prefix(_app(), f"/{path}")
        assert is_refused(_web(prefix=f"/{path}/more")), path
