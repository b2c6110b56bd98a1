"""Tests that the examples of docs/api.md work."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.web_server import WebServer

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line for language, block in BLOCKS if language == "sh" for line in block.splitlines()]
PROGRAMS = [block for language, block in BLOCKS if language == "python"]


def test_page_has_examples() -> None:
    """The examples are found."""
    assert (len(COMMANDS) > 7, len(PROGRAMS)) == (True, 3)


@pytest.mark.parametrize("command", COMMANDS)
def test_command_works(server: WebServer, command: str) -> None:
    """Each command of the page gets an answer that is not an error."""
    assert command.startswith("curl -s ")
    command = command.replace("http://localhost:8000", server.url).replace("curl -s", "curl -sS --fail-with-body")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_works(server: WebServer, program: str) -> None:
    """Each program of the page runs and prints what it says."""
    program = program.replace("http://localhost:8000", server.url)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(("BTC-USD 65000.10", "nothing has changed"))


def test_every_code_of_a_problem_is_on_the_page() -> None:
    """The table of errors has each code that the API may return."""
    package = Path(__file__).parents[3] / "services" / "web" / "src" / "financehub_web" / "api"
    source = "".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    codes = set(re.findall(r'HTTPStatus\.\w+,\s*"([a-z-]+)"', source))
    assert len(codes) > 12
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()
