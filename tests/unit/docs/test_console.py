"""Tests that docs/console.md agrees with the code."""

import re
from pathlib import Path

import pytest

from financehub_shared.core.settings import load_settings, variables
from financehub_web.access.gate import WRONG_TOKENS
from financehub_web.access.tokens import Role, read_tokens
from financehub_web.access.users import LONGEST_NAME, load_users
from financehub_web.http.networks import read_networks

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "console.md").read_text(encoding="utf-8")


def block(language: str, number: int = 0) -> str:
    """Return a block of code of the page."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)[number]


def test_example_of_the_tokens_file_is_valid(tmp_path: Path) -> None:
    """The file that the page shows is read without an error, and has both roles."""
    file = tmp_path / "tokens.yaml"
    file.write_text(block("yaml"), encoding="utf-8")
    assert {token.role for token in read_tokens(file)} == set(Role)


def test_example_of_a_proxy_is_valid() -> None:
    """The settings that the page shows together start a console in the mode `write`."""
    lines = block("sh", 1).split()
    settings = load_settings(dict(line.split("=", 1) for line in lines) | {"FINANCEHUB_WEB_MODE": "write"})
    assert load_users(settings).are_required
    assert read_networks(settings)


def test_every_setting_of_the_page_exists_and_those_about_access_are_explained() -> None:
    """The page names no unknown setting."""
    known = {name for name in variables() if name.startswith("FINANCEHUB_WEB_")}
    named = set(re.findall(r"FINANCEHUB_WEB_[A-Z_]+[A-Z]", TEXT))
    assert named <= known
    assert known - named <= {f"FINANCEHUB_WEB_{name}" for name in ("HOST", "PORT", "REQUESTS_PER_SECOND")}


@pytest.mark.parametrize("folder", ["access", "api/rate_limit.py"])
def test_every_refusal_is_in_the_table(folder: str) -> None:
    """Each code with which a request is refused before it reaches the application has a row."""
    place = ROOT / "services" / "web" / "src" / "financehub_web" / folder
    files = sorted(place.glob("*.py")) if place.is_dir() else [place]
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    pattern = r'(?:Stranger\(|return |UNKNOWN_TOKEN = |HTTPStatus\.[A-Z_]+, )\(?"([a-z]+(?:-[a-z]+)+)"'
    codes = set(re.findall(pattern, source))
    assert codes
    for code in codes:
        assert f"`{code}` |" in TEXT, code


def test_numbers_of_the_page_are_those_of_the_code() -> None:
    """Limits that the page names are those of the code."""
    assert f"{WRONG_TOKENS} wrong tokens in a minute" in TEXT
    assert f"1 to {LONGEST_NAME} printable characters" in TEXT
