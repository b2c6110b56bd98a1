"""Tests that run promtool on the chart's rule files and on the rule tests in tests/unit/monitoring/rules."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.promtool import promtool_path
from support.rules import ROOT, RULE_FILES, RULE_TESTS, RULES, TESTS

#: Just below pytest's timeout, which would not show promtool's output. A loaded machine is slow.
LIMIT_SECONDS = 570


@pytest.fixture(scope="session")
def promtool() -> str:
    """Return the path of promtool."""
    return promtool_path()


def _run(promtool: str, *arguments: str, directory: Path | None = None) -> "subprocess.CompletedProcess[str]":
    # promtool spends a fifth of its time on garbage collection although it needs little memory
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


def test_rule_files_are_valid(promtool: str) -> None:
    """Promtool does not find an error or a duplicate in the rule files."""
    assert RULE_FILES
    done = _run(promtool, "check", "rules", "--lint=all", "--lint-fatal", *map(str, RULE_FILES))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_rules_pass_their_promtool_tests(promtool: str, path: Path) -> None:
    """Each alert fires after its `for` with exactly the expected labels and annotations, and resolves."""
    done = _run(promtool, "test", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_tests_with_a_changed_rule_fail(promtool: str, tmp_path: Path) -> None:
    """The promtool tests read the chart's rules. They fail with a threshold of 90 % for Redis's memory."""
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
