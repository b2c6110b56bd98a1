"""The documents of one file: what an unexpected error about one of them does to the others."""

import pytest
import yaml
from structlog.testing import capture_logs

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.sources.file_content import FileContent, read_content
from financehub_shared.spec.documents import Document
from support.schedules import resource, schedule

NAMES = ("a", "b", "c")


@pytest.mark.parametrize("error", [KeyError("spec"), RecursionError(), TypeError("x"), AttributeError("y")], ids=repr)
@pytest.mark.parametrize("bad", NAMES)
def test_unexpected_error_about_one_document_refuses_only_that_one(bad: str, error: Exception) -> None:
    """The document is refused at its line with the error, the others run, and the log has the traceback."""
    text = yaml.safe_dump_all([resource(name) for name in NAMES])
    before = FileContent("x.yaml", "/x.yaml", schedules={"earlier": schedule(name="old")})

    def read(document: Document) -> Schedule:
        name = yaml.safe_load(document.text)["metadata"]["name"]
        if name == bad:
            raise error
        return schedule(name=name)

    with capture_logs() as logs:
        content = read_content(text, before, 0.0, lambda: False, read)
    assert len(content.schedules) == 2
    assert len(content.kept) == 1, "the refused document may be a new version of the earlier schedule"
    ((place, problem),) = content.refused.items()
    assert place.startswith("x.yaml:")
    assert type(error).__name__ in problem
    assert "report it with the traceback" in problem
    assert any(each.get("exc_info") for each in logs)
