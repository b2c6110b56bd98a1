"""Inspects files of schedules as a scheduler reads them, without Redis and without a cluster."""

import json
from dataclasses import dataclass

from financehub_shared.recurrence.build import recurrence_of_spec
from financehub_shared.recurrence.calendar import CalendarHorizonError
from financehub_shared.recurrence.recurrence import Recurrence
from financehub_shared.spec.documents import Document, DocumentError, Mistake, parse, split
from financehub_shared.spec.scheduled_task import ScheduledTask
from financehub_shared.spec.warnings import find_warnings
from financehub_shared.spec.words import spec_in_words

#: Due times of a schedule that are shown.
_NEXT = 3


@dataclass(frozen=True, slots=True)
class Inspection:
    """One document, as a scheduler sees it.

    Args:
        file: Its file, as the user named it.
        line: Line in the file on which it begins.
        name: `namespace/name`; empty if it is unknown.
        task: The task that it runs; empty if the document is refused.
        mistakes: Why it is refused; empty if it is valid.
        words: When it runs, in words; empty if it is refused.
        zone: Its time zone.
        next_times: Its next three due times without jitter, Unix seconds.
        warnings: Sentences about suspicious combinations in its spec.
        after: `namespace/name` of the schedule after whose successes it runs; empty if it has due times.
    """

    file: str
    line: int
    name: str = ""
    task: str = ""
    mistakes: tuple[Mistake, ...] = ()
    words: str = ""
    zone: str = "UTC"
    next_times: tuple[float, ...] = ()
    warnings: tuple[str, ...] = ()
    after: str = ""


def inspect_file(file: str, text: str, now: float) -> list[Inspection]:
    """Inspect all documents of a file.

    Args:
        file: The file, as the user named it.
        text: Its text.
        now: Unix seconds.
    """
    found = (_inspect(file, document, now) for document in split(text))
    return [inspection for inspection in found if inspection is not None]


def refuse_duplicates(inspections: list[Inspection]) -> list[Inspection]:
    """Refuse each document that has the name of one before it, as a scheduler with all of these files would.

    Args:
        inspections: The documents in the order of their files.
    """
    first: dict[str, Inspection] = {}
    found = []
    for each in inspections:
        earlier = first.setdefault(each.name, each) if each.name and not each.mistakes else each
        if earlier is not each:
            problem = f"{each.name} is also in {earlier.file}:{earlier.line}, which takes precedence; rename one"
            found.append(Inspection(each.file, each.line, each.name, mistakes=(Mistake(each.line, "", problem),)))
        else:
            found.append(each)
    return found


def _inspect(file: str, document: Document, now: float) -> Inspection | None:
    begin = document.text.removeprefix("---")
    line = document.offset + document.text[: len(document.text) - len(begin.lstrip())].count("\n") + 1
    try:
        task = parse(document)
    except DocumentError as error:
        return Inspection(file, line, error.name, mistakes=error.mistakes)
    return None if task is None else _valid(file, line, task, now)


def _valid(file: str, line: int, task: ScheduledTask, now: float) -> Inspection:
    spec = task.spec
    name = f"{task.metadata.namespace}/{task.metadata.name}"
    # The jitter depends on the uid, and due times have no jitter.
    written = json.loads(spec.written_json())
    recurrence = recurrence_of_spec(name, written)
    return Inspection(
        file,
        line,
        name,
        spec.task,
        words=spec_in_words(spec),
        zone=spec.time_zone,
        next_times=() if spec.suspend else _next_times(recurrence, now),
        warnings=tuple(find_warnings(written, recurrence, now)),
        after=f"{task.metadata.namespace}/{spec.after}" if spec.after else "",
    )


def _next_times(recurrence: Recurrence, now: float) -> tuple[float, ...]:
    found: list[float] = []
    while len(found) < _NEXT:
        try:
            at = recurrence.next_after(found[-1] if found else now)
        except CalendarHorizonError:
            break
        if at is None:
            break
        found.append(at)
    return tuple(found)
