"""Tests that what Helm rendered is kept for the other processes of a run."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.renderings import FOLDER_VARIABLE, kept


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of a run."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


def _counting(result: object) -> tuple[Callable[[], object], list[None]]:
    calls: list[None] = []

    def compute() -> object:
        calls.append(None)
        if isinstance(result, Exception):
            raise result
        return result

    return compute, calls


def test_equal_keys_are_computed_once_and_give_copies():
    """A test that changes what it got does not change what the next one gets."""
    compute, calls = _counting({"a": [1]})
    first = kept({"x": 1}, compute, ValueError)
    assert isinstance(first, dict)
    first["a"].append(2)
    assert kept({"x": 1}, compute, ValueError) == {"a": [1]}
    assert len(calls) == 1


def test_keys_that_json_distinguishes_are_computed_each():
    """Helm reads values as JSON, so 1, 1.0, true and the text 1 are four values."""
    results = [kept({"x": key}, lambda each=key: repr(each), ValueError) for key in (1, 1.0, True, "1")]
    assert results == ["1", "1.0", "True", "'1'"]


def test_refusal_is_kept_and_other_errors_are_not():
    """A refused key is refused again without a computation. Any other error is not a result."""
    refuse, calls = _counting(ValueError("write a number"))
    for _ in range(2):
        with pytest.raises(ValueError, match="write a number"):
            kept("refused", refuse, ValueError)
    assert len(calls) == 1
    fail, calls = _counting(OSError("no space"))
    for _ in range(2):
        with pytest.raises(OSError, match="no space"):
            kept("failed", fail, ValueError)
    assert len(calls) == 2


def test_other_process_of_the_run_reads_what_the_first_one_computed(folder: Path):
    """A process that inherits the folder computes nothing."""
    kept(["key"], lambda: "from the first", ValueError)
    code = "from support.renderings import kept; print(kept(['key'], lambda: 'from the second', ValueError))"
    path = str(Path(__file__).parents[2])
    environment = {"PYTHONPATH": path, FOLDER_VARIABLE: str(folder)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "from the first\n"


def test_without_a_folder_everything_is_computed(monkeypatch: pytest.MonkeyPatch):
    """A program that is not a test run, such as a benchmark, leaves no files."""
    monkeypatch.delenv(FOLDER_VARIABLE)
    compute, calls = _counting("x")
    assert [kept("key", compute, ValueError) for _ in range(2)] == ["x", "x"]
    assert len(calls) == 2
