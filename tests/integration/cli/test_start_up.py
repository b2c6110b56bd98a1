"""What a command loads. The time of its start is in the bench, because a test of it would depend on the machine."""

import os
import subprocess
import sys

import pytest

from support.redis_server import free_port

#: Libraries that take 30 to 130 ms of CPU, and modules that load them.
HEAVY = {
    *("pydantic", "structlog", "prometheus_client", "rich", "yaml", "numpy", "httpx", "markdown_it", "pygments"),
    *("financehub_shared.core.settings", "financehub_shared.worker", "financehub_shared.market.dedupe.publishers"),
}
#: Commands that ask Redis one question, and the heavy libraries that they may load.
COMMANDS: dict[tuple[str, ...], set[str]] = {
    ("--help",): set(),
    ("--version",): set(),
    ("quotes", "--help"): set(),
    ("status",): set(),
    ("quotes",): set(),
    ("bars",): set(),
    ("indicators",): set(),
    ("news",): set(),
    ("quarantine",): set(),
    ("history", "AAPL"): set(),
    ("workers",): set(),
    ("stats",): set(),
    ("runs", "list"): set(),
    ("runs", "show", "x"): set(),
    ("schedules", "list"): set(),
    ("schedules", "show", "x"): set(),
    ("dead-letters", "list"): set(),
    ("breakers", "list"): set(),
    ("assets", "list"): set(),
    ("version",): set(),
}
_RUN = """
import sys
sys.argv = ["financehub", *sys.argv[1:]]
try:
    from financehub_cli import main
    main()
finally:
    print("@@", *sorted(sys.modules), file=sys.stderr)
"""


def modules_of(*words: str, **settings: str) -> tuple[set[str], str]:
    """Return the modules that a command has loaded at its end, and its messages."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [sys.executable, "-c", _RUN, *words]
    done = subprocess.run(command, env=kept | settings, capture_output=True, text=True, check=False, timeout=120)
    messages, _, modules = done.stderr.rpartition("@@ ")
    assert "Traceback" not in messages
    return set(modules.split()), messages


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_command_loads_only_what_it_needs(redis_url: str, words: tuple[str, ...]) -> None:
    """A command that asks Redis one question loads no heavy library, and no other command."""
    modules, _ = modules_of(*words, REDIS_URL=redis_url)
    assert modules & HEAVY <= COMMANDS[words]
    commands = {".".join(name.split(".")[:3]) for name in modules if name.startswith("financehub_cli.commands.")}
    assert commands == {f"financehub_cli.commands.{words[0].replace('-', '_')}"} if words[0][0] != "-" else not commands


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("quotes", "--limit"), ("quots",)], ids=" ".join)
def test_command_that_needs_no_redis_loads_no_client(words: tuple[str, ...]) -> None:
    """Help, the version and a wrong command line are answered without loading the Redis client."""
    modules, _ = modules_of(*words, REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert words[0] == "quotes" or "redis" not in modules


def test_settings_that_readers_need_are_read_without_their_library(redis_url: str) -> None:
    """In a pod, which has many settings, no settings library is loaded. Only an invalid setting or name needs it."""
    address = {"REDIS_URL": redis_url}
    pod = {"FINANCEHUB_LOG_LEVEL": "INFO", "FINANCEHUB_RUN_RETENTION_DAYS": "14", "FINANCEHUB_IDLE_TIERS": "low"}
    for settings, message in [
        (address | pod, ""),
        (address | {"FINANCEHUB_RUN_RETENTION_DAYS": "0"}, "financehub: FINANCEHUB_RUN_RETENTION_DAYS='0': "),
        (
            address | {"FINANCEHUB_LOG_LEVLE": "INFO"},
            "financehub: FINANCEHUB_LOG_LEVLE: unknown variable; did you mean",
        ),
        ({"REDIS_URL": "foo"}, "financehub: REDIS_URL=(not shown): should be a URL: redis://"),
    ]:
        modules, messages = modules_of("runs", "list", **settings)
        assert ("financehub_shared.core.settings" in modules) is bool(message)
        assert messages.startswith(message)
        assert message or "FINANCEHUB" not in messages
