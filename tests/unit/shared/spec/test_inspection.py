"""What is said about valid and refused documents of several files."""

import yaml

from financehub_shared.spec.inspection import inspect_file, refuse_duplicates
from support.schedules import resource

NOW = 1_800_000_000.0


def text(*names: str, **spec: object) -> str:
    return yaml.safe_dump_all([resource(name, **spec) for name in names])


def test_inspect_file_says_where_each_document_begins() -> None:
    """The line is that of the first line with text, also after comments and separators."""
    found = inspect_file("x.yaml", f"---\n\n{text('a')}---\n# nothing\n---\n{text('b')}", NOW)
    lines = f"---\n\n{text('a')}---\n# nothing\n---\n{text('b')}".splitlines()
    starts = [number for number, line in enumerate(lines, 1) if line.startswith("apiVersion")]
    assert [(each.name, each.line) for each in found] == [("default/a", starts[0]), ("default/b", starts[1])]


def test_inspect_file_of_a_suspended_schedule_has_no_next_times() -> None:
    """The words say that it is suspended, and no due time is promised."""
    (found,) = inspect_file("x.yaml", text("a", suspend=True), NOW)
    assert found.next_times == ()
    assert "suspended" in found.words


def test_refuse_duplicates_names_the_first_place() -> None:
    """Of documents with the same name, also in different files, the first one is valid."""
    documents = [*inspect_file("1.yaml", text("a", "b"), NOW), *inspect_file("2.yaml", text("a", "c", "c"), NOW)]
    found = refuse_duplicates(documents)
    assert [bool(each.mistakes) for each in found] == [False, False, True, False, True]
    assert "default/a is also in 1.yaml:1, which takes precedence; rename one" in str(found[2].mistakes[0])
    assert "default/c is also in 2.yaml" in str(found[4].mistakes[0])
