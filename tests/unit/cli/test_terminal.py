"""Tests of tables and text on the terminal."""

from rich.console import Console

from financehub_cli.output.terminal import build_table, plain_text


def test_build_table_with_escape_sequences_prints_them_as_text():
    """Escape sequences and markup in a headline are printed as text, so a headline cannot control the terminal."""
    text = "\x1b[2J[red]Sale[/red]\x07"
    console = Console(width=80, force_terminal=True)
    with console.capture() as captured:
        console.print(build_table("title", rows=[[text]]))
    assert "[2J[red]Sale[/red]" in captured.get()
    assert "\x1b[2J" not in captured.get()
    assert "\x07" not in plain_text(text).plain


def test_build_table_with_none_leaves_the_cell_empty():
    """None yields an empty cell, and the `>` at the start of a heading is not printed."""
    console = Console(width=40)
    with console.capture() as captured:
        console.print(build_table("name", ">count", rows=[["one", None]]))
    assert captured.get().split() == ["name", "count", "one"]
