"""Completion in real shells. A shell that is not installed is skipped; CI installs all of them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from support.full_redis import fill

BIN = Path(sys.executable).parent

#: What the user has typed → a word that the shell offers, and one that it does not offer.
LINES = [
    ("financehub qu", "quotes", "bars"),
    ("financehub schedules tr", "trigger", "show"),
    ("financehub quotes --js", "--json", "--wide"),
    ("financehub quotes B", "BTC-USD", "AAPL"),
    ("financehub run fetch_c", "fetch_crypto_prices_task", "fetch_news_task"),
    ("financehub schedules show default/d", "default/demo", "default/other"),
]

#: Prints the candidates of bash for the words in $LINE.
_BASH = r"""
eval "$(financehub --show-completion)"
read -ra COMP_WORDS <<<"$LINE"
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_financehub_completion financehub
printf '%s\n' "${COMPREPLY[@]}"
"""
#: Prints the candidates of zsh, whose completion functions run only in a terminal, by replacing the one that adds them.
_ZSH = r"""
autoload -Uz compinit; compinit -u -d "$ZDUMP"
compdef() { : }
eval "$(financehub --show-completion)"
_arguments() { print -rl -- "$@" }
_describe() { print -rl -- "$@"; print -rl -- ${(P)${@[-1]}} }
compadd() { print -rl -- "$@" }
words=(${=LINE}); CURRENT=$#words
_financehub_completion
"""
_FISH = r"""
financehub --show-completion | source
complete -C "$LINE"
"""


def candidates(shell: str, line: str, url: str, home: Path) -> str:
    """Return what a shell offers for a line."""
    program = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}[shell]
    environment = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(home),
        "LINE": line,
        "ZDUMP": str(home / "zdump"),
        "REDIS_URL": url,
        "TERM": "dumb",
        "LANG": "C.UTF-8",
        "SHELL": f"/bin/{shell}",
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    program = program.replace("--show-completion", f"--show-completion {shell}")
    no_rc = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [shell, *no_rc, "-c", program], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_offers_commands_options_and_names(
    shell: str, redis_client: "redis.Redis", redis_url: str, tmp_path: Path
) -> None:
    """The shell completes commands, subcommands, options, symbols, tasks and schedules, and only what matches."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    fill(redis_client, redis_url)
    for line, offered, other in LINES:
        found = candidates(shell, line, redis_url, tmp_path)
        assert offered in found, (line, found)
        assert other not in found.replace(line, ""), (line, found)
