"""promtool checks the chart's rule files and runs the tests beside this file."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.promtool import promtool_path
from support.rules import ROOT, RULE_FILES, RULE_TESTS, RULES, TESTS

#: Just below the limit of pytest, which would not show what promtool has printed. A loaded machine is slow.
LIMIT_SECONDS = 170


@pytest.fixture(scope="session")
def promtool() -> str:
    """Path of promtool."""
    return promtool_path()


def _run(promtool: str, *arguments: str, directory: Path | None = None) -> "subprocess.CompletedProcess[str]":
    # it collects garbage for a fifth of its time, and its memory is small
    environment = {**os.environ, "GOGC": "800"}
    return subprocess.run(
        [promtool, *arguments],
        capture_output=True,
        text=True,
        cwd=directory,
        env=environment,
        timeout=LIMIT_SECONDS,
        check=False,
    )


def test_promtool_accepts_every_rule_file(promtool: str) -> None:
    """Promtool finds neither an error nor a duplicate in the rule files."""
    assert RULE_FILES
    done = _run(promtool, "check", "rules", "--lint=all", "--lint-fatal", *map(str, RULE_FILES))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_rules_do_what_the_promtool_tests_expect(promtool: str, path: Path) -> None:
    """Each alert fires after its `for` with exactly these labels and annotations, not below, and resolves."""
    done = _run(promtool, "test", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_tests_fail_when_a_rule_changes(promtool: str, tmp_path: Path) -> None:
    """The tests read the chart's rules: with the threshold of Redis's memory at 90 % they fail."""
    folder = tmp_path / TESTS.relative_to(ROOT)
    rules = tmp_path / RULES.relative_to(ROOT)
    folder.mkdir(parents=True)
    rules.mkdir(parents=True)
    for path in RULE_FILES:
        (rules / path.name).write_text(path.read_text(encoding="utf-8").replace("> 0.8\n", "> 0.9\n"))
    test = next(path for path in RULE_TESTS if path.stem == "redis")
    shutil.copy(test, folder)
    done = _run(promtool, "test", "rules", test.name, directory=folder)
    assert done.returncode != 0
    assert "FinanceHubRedisMemoryHigh" in done.stdout + done.stderr
