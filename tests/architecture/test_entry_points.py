"""What each image's entry point imports at start: the weights of one service never reach another."""

import subprocess
import sys
from functools import cache

import pytest

HEAVY = {"pandas", "numpy", "ta", "talib", "kopf", "kubernetes", "yfinance", "feedparser", "curl_cffi"}


@cache
def modules_after(statement: str) -> frozenset[str]:
    """Top-level modules of a fresh interpreter that ran `statement`."""
    script = f"{statement}\nimport sys\nprint('\\n'.join({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        # nothing may connect at import: this Redis does not exist
        env={"REDIS_URL": "redis://127.0.0.1:1/0", "PATH": ""},
    )
    return frozenset(done.stdout.split())


@pytest.mark.parametrize(
    ("entry", "may_hold"),
    [
        ("financehub_high_priority.worker", set()),
        ("financehub_medium_priority.worker", {"numpy", "talib", "feedparser"}),
        ("financehub_low_priority.worker", set()),
        ("financehub_scheduler.__main__", set()),
        ("financehub_cli", set()),
    ],
)
def test_an_entry_point_imports_only_its_own_weight(entry: str, may_hold: set[str]) -> None:
    """At start a process holds none of the heavy libraries that are not its own, and has not needed Redis."""
    assert modules_after(f"import {entry}") & HEAVY <= may_hold


@pytest.mark.parametrize(
    "entry",
    ["financehub_high_priority.worker", "financehub_low_priority.worker", "financehub_scheduler.__main__"],
)
def test_a_service_imports_no_other_service(entry: str) -> None:
    """A process holds its own service and the shared package, never another service."""
    own = entry.split(".", maxsplit=1)[0]
    loaded = {name for name in modules_after(f"import {entry}") if name.startswith("financehub_")}
    assert loaded == {own, "financehub_shared"}


def test_the_scheduler_imports_no_provider() -> None:
    """The scheduler enqueues by name: no provider and no HTTP client is in its process."""
    assert "httpx" not in modules_after("import financehub_scheduler.__main__")
