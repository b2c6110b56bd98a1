"""The log of real processes whose stdout has another encoding, is closed, or is on a full disk."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = r"""
import logging, sys, structlog
from financehub_shared.core.settings import load_settings
from financehub_shared.logging import configure_logging
configure_logging(load_settings({"FINANCEHUB_LOG_FORMAT": sys.argv[1]}), "high")
log = structlog.get_logger("ours")
log.info("first", text="\xe9 \u65e5 \U0001f600 \ud800 \x9b", **{"cl\xe9": 1})
logging.getLogger("theirs").warning("seconde \xe9 \udfff")
try:
    raise ValueError("third \ud800 \u65e5")
except ValueError:
    log.exception("third")
"""
ENCODINGS = {
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "utf-16": {"PYTHONIOENCODING": "utf-16-le"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "utf-8": {"PYTHONIOENCODING": "utf-8"},
}


def command(format: str) -> list[str]:
    """Return the command of a process that logs three lines."""
    return [sys.executable, "-c", SCRIPT, format]


def environment(variables: dict[str, str]) -> dict[str, str]:
    """Return this environment without its own encoding, and with the given variables."""
    removed = {"PYTHONIOENCODING", "PYTHONUTF8", "LC_ALL", "LANG"}
    return {name: value for name, value in os.environ.items() if name not in removed} | variables


@pytest.mark.parametrize("variables", ENCODINGS.values(), ids=ENCODINGS)
def test_json_log_in_any_encoding_is_complete(variables: dict[str, str]) -> None:
    """No line is lost, each one is JSON, and a parser gets the original text."""
    result = subprocess.run(command("json"), env=environment(variables), capture_output=True, check=True)
    encoding = variables.get("PYTHONIOENCODING", "ascii")
    assert result.stderr == b""
    first, second, third = map(json.loads, result.stdout.decode(encoding).splitlines())
    assert (first["text"], first["clé"]) == ("é 日 \U0001f600 \ud800 \x9b", 1)
    assert second["event"] == "seconde é \udfff"
    assert "ValueError: third" in third["exception"]


@pytest.mark.parametrize("variables", ENCODINGS.values(), ids=ENCODINGS)
def test_console_log_in_any_encoding_is_complete(variables: dict[str, str]) -> None:
    """No line is lost. Characters that the encoding does not have are escaped."""
    result = subprocess.run(command("console"), env=environment(variables), capture_output=True, check=True)
    text = result.stdout.decode(variables.get("PYTHONIOENCODING", "ascii"))
    assert result.stderr == b""
    assert "first" in text
    assert "seconde" in text
    assert "ValueError: third" in text
    assert "\\ud800" in text
    assert "\x9b" not in text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_log_on_a_full_disk_goes_to_stderr() -> None:
    """If the disk of stdout is full, the lines go to stderr, and the process continues to its end."""
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            command("console"), env=environment({}), stdout=full, stderr=subprocess.PIPE, check=False
        )
    text = result.stderr.decode()
    assert "No space left on device" in text
    assert [word for word in ("first", "seconde", "ValueError: third") if word not in text] == [], text


def test_log_to_a_closed_pipe_or_without_stdout_goes_to_stderr() -> None:
    """If the reader of stdout has gone, or the process has no stdout, the lines go to stderr."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        closed = subprocess.run(
            command("console"), env=environment({}), stdout=pipe, stderr=subprocess.PIPE, check=False
        )
    without = ["sh", "-c", 'exec 1>&-; exec "$@"', "sh", *command("console")]
    absent = subprocess.run(without, env=environment({}), stderr=subprocess.PIPE, check=False)
    for result in (closed, absent):
        text = result.stderr.decode()
        assert [word for word in ("first", "seconde", "ValueError: third") if word not in text] == [], text
