"""Validates files of schedules without Redis and without a cluster."""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from financehub_cli.exit_codes import ExitCode
from financehub_cli.output.result import CommandResult

if TYPE_CHECKING:  # imported when they are used, because the other commands of the group do not need them
    from financehub_shared.spec.inspection import Inspection

#: The argument that means the standard input.
STDIN = "-"
#: Seconds to wait until a program opens a pipe for writing. A shell opens the pipe of `<(…)` before the command starts.
_PATIENCE = 5.0


def validate_files(names: Sequence[str], now: float) -> CommandResult:
    """Validate all documents of some files and folders, as a scheduler with all of them would.

    Args:
        names: Files and folders. `-` is the standard input.
        now: Unix seconds.
    """
    from financehub_shared.spec.inspection import refuse_duplicates
    from financehub_shared.spec.predecessor_warnings import warn_of_predecessors
    from financehub_shared.views.schedule_documents import schedule_document_view

    found = warn_of_predecessors(refuse_duplicates([each for name in names for each in _inspect(name, now)]))
    invalid = [each for each in found if each.mistakes]
    lines = [line for each in found for line in _describe(each)]
    notes = [] if found else ["no document was found; name a file with documents, or a folder with files *.yaml"]
    if found:
        lines.append(_summary(found))
    code = ExitCode.USAGE if invalid or not found else ExitCode.OK
    return CommandResult([schedule_document_view(each) for each in found], "\n".join(lines), notes, code)


def _summary(found: "Sequence[Inspection]") -> str:
    """Return the numbers of documents and of what cannot be read, which has no document."""
    documents = [each for each in found if each.line]
    refused = sum(bool(each.mistakes) for each in documents)
    count = f"{len(documents)} document{'' if len(documents) == 1 else 's'}"
    parts = [f"{refused} of {count} refused" if refused else f"{count}, all valid"] if documents else []
    if unreadable := len(found) - len(documents):
        parts.append(f"{unreadable} file{'' if unreadable == 1 else 's'} cannot be read")
    return ", ".join(parts)


def _inspect(name: str, now: float) -> "Iterable[Inspection]":
    from financehub_shared.spec.documents import Mistake
    from financehub_shared.spec.entries import explain, list_names, read_any, read_stream, read_text, stamp_of
    from financehub_shared.spec.inspection import Inspection, inspect_file

    path = Path(name)
    try:
        if name == STDIN:
            return inspect_file(name, read_stream(sys.stdin.buffer), now)
        if not path.is_dir():
            # It may also be a pipe that the shell has opened, as in `validate <(helm template …)`.
            return inspect_file(_shown(path), read_any(path, _PATIENCE), now)
        files = list_names(path)
    except (OSError, ValueError) as error:
        problem = explain(error) if isinstance(error, OSError) else f"it cannot be read ({error}); correct the name"
        return [Inspection(_shown(path), 0, mistakes=(Mistake(0, "", problem),))]
    found: list[Inspection] = []
    for file in files:
        try:
            # Nothing but a file is read, as in the folder of a scheduler.
            if stamp_of(file) is not None:
                found += inspect_file(_shown(file), read_text(file), now)
        except OSError as error:
            found.append(Inspection(_shown(file), 0, mistakes=(Mistake(0, "", explain(error)),)))
    return found


def _shown(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _describe(inspection: "Inspection") -> list[str]:
    from financehub_shared.core.moments import format_moment
    from financehub_shared.core.text import printable
    from financehub_shared.recurrence.rules import parse_zone

    lines = []
    for mistake in inspection.mistakes:
        place = f"{inspection.file}:{mistake.line}" if mistake.line else inspection.file
        lines.append(f"{place}: {mistake}")
    if not inspection.mistakes:
        lines.append(f"{inspection.file}:{inspection.line}: {inspection.name} is valid")
        lines.append(f"  runs {inspection.task} {inspection.words}")
        zone = parse_zone(inspection.zone)
        times = ", ".join(format_moment(at, zone) for at in inspection.next_times)
        if times:
            lines.append(f"  next: {times} ({inspection.zone})")
        lines += [f"  warning: {warning}" for warning in inspection.warnings]
    return [printable(line) for line in lines]
