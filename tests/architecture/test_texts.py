"""Text from outside is escaped in one place, and exceptions of tasks are described in one place."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLI = ROOT / "cli/src/financehub_cli"
SHARED = ROOT / "shared/src/financehub_shared"

#: The only modules of the command line that write to a stream.
WRITERS = {"help_text.py", "output/progress.py", "output/result.py", "output/terminal.py", "exit_codes.py"}
_WRITES = re.compile(r"\bprint\(|\.write\(|typer\.(?:s)?echo|json\.dumps?\(|\bConsole\(|click\.")
#: `exception_text` makes these texts. A foreign exception can raise anything when its text is read.
_DESCRIBES = re.compile(
    r"\bstr\((?:error|exception|exc)\)|\{(?:error|exception|exc)(?:![rsa])?\}|repr\((?:error|exception|exc)\)"
    r"|type\((?:error|exception|exc)\)\.__(?:qual)?name__|\btraceback\.(?:format|print)|format_exc"
)


def find(folder: Path, pattern: re.Pattern[str], allowed: set[str] | None = None) -> list[str]:
    """Return the places in a folder where a pattern occurs outside of the allowed modules."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        if name not in (allowed or set()):
            lines = path.read_text(encoding="utf-8").splitlines()
            found += [
                f"{name}:{number}: {line.strip()}" for number, line in enumerate(lines, 1) if pattern.search(line)
            ]
    return found


def test_only_output_modules_of_the_cli_write_to_a_stream() -> None:
    """Each command returns its result to the modules that escape it."""
    assert find(CLI, _WRITES, WRITERS) == []
    assert find(CLI, _WRITES) != []


@pytest.mark.parametrize("package", ["worker", "monitor"])
def test_exceptions_of_tasks_are_described_in_one_place(package: str) -> None:
    """No middleware and no record reads the text of an exception itself."""
    assert find(SHARED / package, _DESCRIBES) == []
