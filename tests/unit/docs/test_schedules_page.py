"""The worked examples of docs/schedules.md have the output of `financehub schedules validate`."""

import re
import textwrap
from datetime import UTC
from pathlib import Path

import pytest

from financehub_cli.schedule_files import validate_files
from financehub_shared.core.moments import parse_moment

_PAGE = (Path(__file__).parents[3] / "docs/schedules.md").read_text(encoding="utf-8")
_EXAMPLES = re.findall(r"```yaml\n(.*?)```\n\n```text\n(.*?)```\n", _PAGE, flags=re.DOTALL)
_NOW = parse_moment("2026-12-22T12:00", UTC)
#: Most examples have no deadline, and this page explains what it is for.
_LEFT_OUT = "spec.startingDeadlineSeconds: is not set"


def test_each_yaml_block_of_the_page_has_its_output_below() -> None:
    """No example is without an output that the next test compares."""
    assert len(_EXAMPLES) == _PAGE.count("```yaml\n") >= 15


@pytest.mark.parametrize(("fields", "output"), _EXAMPLES, ids=[example[0].splitlines()[0] for example in _EXAMPLES])
def test_example_is_valid_and_its_output_is_on_the_page(fields: str, output: str, tmp_path: Path) -> None:
    """The page shows the words, the next due times and the warnings that the command prints for the example."""
    spec = textwrap.indent(("" if "task:" in fields else "task: fetch_news_task\n") + fields, "  ")
    path = tmp_path / "example.yaml"
    head = "apiVersion: financehub.io/v1alpha1\nkind: ScheduledTask\nmetadata: {name: example}\nspec:\n"
    path.write_text(head + spec, encoding="utf-8")
    result = validate_files([str(path)], _NOW)
    assert isinstance(result.content, str)
    lines = result.content.splitlines()
    assert lines[0].endswith("example is valid")
    assert [line[2:] for line in lines[1:-1] if _LEFT_OUT not in line] == output.splitlines()
