"""Reads CHANGELOG.md, which has the form of "Keep a Changelog": a section for each version, the newest first."""

import re
from pathlib import Path

from releasing.errors import ReleaseError

#: The section of the changes since the newest version, which the next release names after itself.
UNRELEASED = "Unreleased"
_SECTION = re.compile(r"^## \[(?P<version>[^\]]+)\]")
#: The headings of changes, and what Artifact Hub calls them. "Upgrade" is ours: what users must do.
KINDS = {
    "Upgrade": "changed",
    "Added": "added",
    "Changed": "changed",
    "Deprecated": "deprecated",
    "Removed": "removed",
    "Fixed": "fixed",
    "Security": "security",
}


def sections(path: Path) -> dict[str, list[str]]:
    """Return the lines of each section by its version, in the order of the file.

    Args:
        path: The file.
    """
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            heading = _SECTION.match(line)
            lines = found.setdefault(heading["version"] if heading else line, [])
        else:
            lines.append(line)
    return found


def changes(path: Path, version: str) -> list[dict[str, str]]:
    """Return the changes of a version as Artifact Hub expects them: a kind and a description each.

    Args:
        path: The file.
        version: The version.

    Raises:
        ReleaseError: The file has no section for the version, or one with an unknown heading or without changes.
    """
    found = sections(path)
    if version not in found:
        raise ReleaseError(f"{path.name} has no section of {version}; write `## [{version}] - <date>` with its changes")
    result: list[dict[str, str]] = []
    kind = ""
    for line in found[version]:
        if line.startswith("### "):
            heading = line.removeprefix("### ").strip()
            if heading not in KINDS:
                raise ReleaseError(
                    f"{path.name}: {version} has the heading {heading!r}; write one of {', '.join(KINDS)}"
                )
            kind = KINDS[heading]
        elif line.startswith("- ") and kind:
            result.append({"kind": kind, "description": line.removeprefix("- ")})
        elif line.startswith("  ") and result:
            result[-1]["description"] += f" {line.strip()}"
    if not result:
        raise ReleaseError(f"{path.name}: {version} lists no change; write each as `- …` under a heading")
    return result
