"""Tests of tables and text on the terminal."""

import io
import json
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from financehub_cli.exit_codes import print_message
from financehub_cli.output.layout import Terminal, table_lines
from financehub_cli.output.result import CommandResult, print_result
from financehub_cli.output.table import build_table
from financehub_cli.output.text import plain_text

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)


def test_build_table_with_escape_sequences_prints_them_as_text() -> None:
    """Escape sequences and markup in a headline are printed as text, so a headline cannot control the terminal."""
    text = "\x1b[2J[red]Sale[/red]\x07"
    shown = "\n".join(table_lines(build_table("title", rows=[[text]]), Terminal(80, color=True)))
    assert "[2J[red]Sale[/red]" in shown
    assert "\x1b[2J" not in shown
    assert "\x07" not in plain_text(text)


def test_build_table_with_none_leaves_the_cell_empty() -> None:
    """None yields an empty cell, and the `>` at the start of a heading is not printed."""
    lines = table_lines(build_table("name", ">count", rows=[["one", None]]), Terminal(40))
    assert " ".join(lines).split() == ["name", "count", "one"]


@given(cells=st.lists(ANY_TEXT, min_size=3, max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_output_with_any_text_is_printable_and_json_decodes_to_the_original(
    monkeypatch: pytest.MonkeyPatch, cells: list[str]
) -> None:
    """Tables, JSON and messages contain no control character but our line feeds, in keys and first columns too."""
    data = {cells[0]: cells[1:], "nested": [{cells[1]: cells[0]}]}
    table = build_table("one", "two", "three", rows=[cells, ["a", "b", "c"]])
    outputs = {}
    for name, content, as_json in (("table", table, False), ("text", cells[0], False), ("json", "", True)):
        monkeypatch.setattr(sys, "stdout", out := io.StringIO())
        monkeypatch.setattr(sys, "stderr", err := io.StringIO())
        print_result(CommandResult(data, content, [cells[2]]), as_json=as_json)
        print_message(cells[0])
        assert out.getvalue().replace("\n", "").isprintable(), name
        assert err.getvalue().count("\n") == 2
        assert err.getvalue().replace("\n", "").isprintable()
        outputs[name] = out.getvalue()
    assert json.loads(outputs["json"]) == json.loads(json.dumps(data))
    last = outputs["table"].splitlines()[-1]
    assert last.split() == ["a", "b", "c"]


def test_line_feed_in_the_first_column_does_not_look_like_a_row() -> None:
    """A name with a line feed stays in its row."""
    lines = table_lines(build_table("name", "state", rows=[["real\nforged  succeeded", "failed"]]), Terminal(80))
    assert len(lines) == 2
    assert "real\\nforged" in lines[1]
