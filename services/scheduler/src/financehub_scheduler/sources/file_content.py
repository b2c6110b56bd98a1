"""The schedules of one file, and what is refused in it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID, uuid5

import structlog

from financehub_scheduler.api.schedule import Schedule, compile_schedule
from financehub_scheduler.sources.waiting import ABSENCE_SECONDS
from financehub_shared.core.exception_text import describe_exception
from financehub_shared.spec.documents import Document, DocumentError, Mistake, parse, split

log = structlog.get_logger(__name__)

#: Mistakes of one file that are reported. A generator of thousands of documents makes the same one in each.
MAX_REFUSED = 100
#: Namespace of the uids. The same namespace and name identify the same schedule in any file and on any machine.
_UID_NAMESPACE = UUID("6a9e7d1c-5f0e-5a58-9c1b-0d3b7c1f2e44")


@dataclass(slots=True)
class FileContent:
    """The content of one file when it was last read.

    Args:
        name: Name of the file for messages.
        path: Its whole path, for the log.
        schedules: Text of a document → its schedule.
        refused: `file:line`, or the file alone if it cannot be read → what is wrong there.
        kept: Name → earlier version of a schedule, which stays in effect because its replacement was refused.
        cut_since: Time since which its last document is only the beginning of the earlier one, on the monotonic clock;
            None if it is not.
        hidden: Number of mistakes that are not in `refused`, because there are too many.
    """

    name: str
    path: str
    schedules: dict[str, Schedule] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    kept: dict[str, Schedule] = field(default_factory=dict)
    cut_since: float | None = None
    hidden: int = 0

    @property
    def effective(self) -> list[Schedule]:
        """The schedules that run."""
        return [*self.schedules.values(), *self.kept.values()]

    def refuse(self, mistakes: tuple[Mistake, ...], before: "FileContent") -> None:
        """Add mistakes, and log those that are new.

        Args:
            mistakes: The mistakes of one document.
            before: The content when it was read before.
        """
        for mistake in mistakes:
            place = f"{self.name}:{mistake.line}" if mistake.line else self.name
            problem = str(mistake)
            if len(self.refused) >= MAX_REFUSED and place not in self.refused:
                self.hidden += 1
                self.refused[f"{self.name}:…"] = f"{self.hidden:,} more mistakes; correct the others first"
                continue
            others = self.refused.get(place, "")
            self.refused[place] = f"{others}; {problem}" if others else problem
            if problem not in before.refused.get(place, ""):
                log.error("schedule_refused", file=self.path, line=mistake.line, problem=problem)


def unreadable(problem: str, before: FileContent) -> FileContent:
    """Return the content of a file that cannot be read. Its earlier schedules stay in effect.

    Args:
        problem: Why, and what to do.
        before: The content when it was read before.
    """
    content = FileContent(before.name, before.path, kept={schedule.name: schedule for schedule in before.effective})
    content.refuse((Mistake(0, "", problem),), before)
    return content


def read_content(
    text: str,
    before: FileContent,
    now: float,
    is_stopped: Callable[[], bool],
    read: Callable[[Document], Schedule | None] | None = None,
) -> FileContent:
    """Parse and compile the documents of a file.

    Args:
        text: The text of the file.
        before: The content when it was read before; empty for a new file.
        now: Time on the monotonic clock.
        is_stopped: Whether to return early, because the process ends.
        read: Parses and compiles one document, which is None if it is empty; None for the usual function.
    """
    read = read or _compile
    content = FileContent(before.name, before.path)
    refused_names: set[str] = set()
    documents = list(split(text))
    for document in documents:
        if is_stopped():
            return before
        key = document.text
        if document is documents[-1] and (earlier := _cut_text(content, document, before)) is not None:
            since = now if before.cut_since is None else before.cut_since
            if now - since < ABSENCE_SECONDS:
                key, content.cut_since = earlier, since
        try:
            # Unchanged documents are not parsed again, so that an edit to one of thousands takes effect quickly.
            schedule = before.schedules.get(key) or read(document)
        except DocumentError as error:
            content.refuse(error.mistakes, before)
            refused_names.add(error.name)
        except Exception as error:  # boundary: a mistake in our code about one document must not stop the others
            content.refuse((_unexpected(document, error),), before)
            log.exception("schedule_not_read", file=before.path, line=document.offset + 1)
            refused_names.add("")
        else:
            if schedule is not None:
                content.schedules[key] = schedule
    # A refused document does not stop the version that ran before. If its name is unknown, it may be any of them.
    current = {schedule.name for schedule in content.schedules.values()}
    content.kept = {
        schedule.name: schedule
        for schedule in before.effective
        if schedule.name not in current and ("" in refused_names or schedule.name in refused_names)
    }
    return content


def _cut_text(content: FileContent, document: Document, before: FileContent) -> str | None:
    """Return the earlier text of a document of which only the beginning is left, or None.

    Its file may be a copy in progress, whose last line is not the last one.
    """
    begin = document.text.rstrip()
    for text in before.schedules:
        if text not in content.schedules and text.startswith(begin) and len(text.rstrip()) > len(begin):
            return text
    return None


def _unexpected(document: Document, error: Exception) -> Mistake:
    problem = (
        f"the document caused an error in FinanceHub ({describe_exception(error)}); report it with the traceback in "
        "the log of the scheduler, or change the document"
    )
    return Mistake(document.offset + 1, "", problem)


def _compile(document: Document) -> Schedule | None:
    task = parse(document)
    if task is None:
        return None
    name = f"{task.metadata.namespace}/{task.metadata.name}"
    try:
        return compile_schedule(task, str(uuid5(_UID_NAMESPACE, name)))
    except ValueError as error:
        raise DocumentError([Mistake(document.offset + 1, "", str(error))], name) from None
