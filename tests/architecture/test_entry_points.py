"""Tests that each image's entry point imports only the heavy libraries that its own tasks need."""

import subprocess
import sys
from functools import cache

import pytest

HEAVY = {"pandas", "numpy", "ta", "talib", "kopf", "kubernetes", "yfinance", "feedparser", "curl_cffi"}


@cache
def modules_after(statement: str) -> frozenset[str]:
    """Return the top-level modules that a new interpreter has loaded after `statement`."""
    script = f"{statement}\nimport sys\nprint('\\n'.join({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        # this Redis does not exist, so a connection during import would fail
        env={"REDIS_URL": "redis://127.0.0.1:1/0", "PATH": ""},
    )
    return frozenset(done.stdout.split())


@pytest.mark.parametrize(
    ("entry_point", "allowed"),
    [
        ("financehub_high_priority.worker", set()),
        ("financehub_medium_priority.worker", {"numpy", "talib", "feedparser"}),
        ("financehub_low_priority.worker", set()),
        ("financehub_scheduler.__main__", set()),
        ("financehub_web.__main__", set()),
        ("financehub_cli", set()),
    ],
)
def test_entry_point_imports_only_allowed_heavy_libraries(entry_point: str, allowed: set[str]) -> None:
    """At startup a process has neither loaded heavy libraries that only other processes need nor connected to Redis."""
    assert modules_after(f"import {entry_point}") & HEAVY <= allowed


@pytest.mark.parametrize(
    "entry_point",
    [
        "financehub_high_priority.worker",
        "financehub_low_priority.worker",
        "financehub_scheduler.__main__",
        "financehub_web.__main__",
    ],
)
def test_service_imports_no_other_service(entry_point: str) -> None:
    """A process loads its own package and the shared package, and no other service."""
    own = entry_point.split(".", maxsplit=1)[0]
    loaded = {name for name in modules_after(f"import {entry_point}") if name.startswith("financehub_")}
    assert loaded == {own, "financehub_shared"}


def test_scheduler_imports_no_http_client() -> None:
    """The scheduler enqueues tasks by name, so its process loads neither a provider nor an HTTP client."""
    assert "httpx" not in modules_after("import financehub_scheduler.__main__")
