"""Help texts: summaries, options and examples."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from financehub_cli.app import COMMANDS, app
from financehub_cli.help_text import write_help

ROOT: Any = typer.main.get_command(app)
_EXAMPLE = re.compile(r"- `(financehub [^`]*)`")


def leaves(command: Any = ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path and the object of each command that is not a group."""
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
    for name in children or ():
        yield from leaves(children[name], (*path, name))


LEAVES = dict(leaves())


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_summary_in_the_list_is_the_first_sentence_of_the_help(entry: Any) -> None:
    """The list of commands, which is shown without importing them, says the same as the help of each command."""
    first = " ".join(ROOT.commands[entry.name].help.split()).partition(". ")[0].removesuffix(".")
    assert entry.summary == f"{first}."


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_examples_of_each_command_are_valid(path: tuple[str, ...]) -> None:
    """Each command has one to five examples, whose words the commands accept."""
    examples = [re.split(r" [|>] ", text)[0] for text in _EXAMPLE.findall(LEAVES[path].help)]
    assert 1 <= len(examples) <= 5
    assert any(text.startswith(" ".join(("financehub", *path))) for text in examples)
    for text in examples:
        words = shlex.split(text)[1:]
        owner = next(each for each in LEAVES if tuple(words[: len(each)]) == each)
        assert LEAVES[owner].make_context(" ".join(owner), words[len(owner) :])


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_command_that_prints_tables_accepts_wide(path: tuple[str, ...]) -> None:
    """The hint below a narrow table names --wide, so every command with a table accepts it."""
    options = {option for parameter in LEAVES[path].params for option in parameter.opts}
    assert "--json" in options or path == ("assets", "export")
    if "--format" in options:
        assert {"--wide", "--sort"} <= options


def test_help_keeps_examples_on_their_lines_and_wraps_sentences() -> None:
    """An example can be copied as it is, even if it is longer than the terminal."""
    from typer._click.formatting import HelpFormatter

    formatter = HelpFormatter(width=60)
    example = "financehub run fetch_crypto_prices_task --arg symbols=BTC-USD,ETH-USD --no-wait"
    write_help(f"{'word ' * 30}\n\nExamples:\n- `{example}`\n- not an example", formatter)
    lines = formatter.getvalue().splitlines()
    assert f"    {example}" in lines
    assert all(len(line) <= 60 for line in lines if line != f"    {example}")


def test_version_is_that_of_the_distribution() -> None:
    """`financehub --version` prints one line and ends with 0."""
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert re.fullmatch(r"financehub \d+\.\d+\.\d+\n", result.stdout)
