"""The view of a document of a schedule file that was validated."""

from typing import TYPE_CHECKING, Annotated

from typing_extensions import TypedDict

from financehub_shared.views.fields import Field
from financehub_shared.views.formats import Time, iso_time

if TYPE_CHECKING:  # a command that shows no documents does not load the model of the resource
    from financehub_shared.spec.inspection import Inspection


class MistakeView(TypedDict):
    """One mistake in a document."""

    line: Annotated[int, Field(description="The line in the file. 0 if the file cannot be read.")]
    field: Annotated[str, Field(description="The field, such as `spec.schedule`. Empty if the text itself is wrong.")]
    problem: Annotated[str, Field(description="What was read, what is wrong and what to write.")]


class ScheduleDocumentView(TypedDict):
    """One document of a file, as a scheduler would read it."""

    file: Annotated[str, Field(description="The file. `-` is the standard input.")]
    line: Annotated[int, Field(description="The line on which the document begins. 0 if the file cannot be read.")]
    name: Annotated[str, Field(description="The name, as `namespace/name`. Empty if it is unknown.")]
    valid: Annotated[bool, Field(description="Whether a scheduler would run it.")]
    mistakes: Annotated[list[MistakeView], Field(description="All mistakes in it, in the order of their lines.")]
    task: Annotated[str, Field(description="The task that it runs. Empty if it is not valid.")]
    schedule: Annotated[str, Field(description="When it runs, in words. Empty if it is not valid.")]
    time_zone: Annotated[str, Field(description="The IANA time zone of the schedule.")]
    next: Annotated[list[Time | None], Field(description="Its next due times without jitter, at most three.")]
    warnings: Annotated[list[str], Field(description="Sentences about what is allowed but suspicious.")]


def schedule_document_view(inspection: "Inspection") -> ScheduleDocumentView:
    """Return the view of a document."""
    return {
        "file": inspection.file,
        "line": inspection.line,
        "name": inspection.name,
        "valid": not inspection.mistakes,
        "mistakes": [
            {"line": mistake.line, "field": mistake.field, "problem": mistake.problem}
            for mistake in inspection.mistakes
        ],
        "task": inspection.task,
        "schedule": inspection.words,
        "time_zone": inspection.zone,
        "next": [iso_time(at) for at in inspection.next_times],
        "warnings": list(inspection.warnings),
    }
