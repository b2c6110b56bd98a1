"""Tests that the generated files of the chart's values are up to date, and that each value is described."""

import re

import pytest

from chart.__main__ import files
from chart.comments import descriptions
from chart.table import BEGIN, described
from support.chart import CHART
from support.values_schema import ANY, DEFAULTS, SCHEMA, Schema, default, nodes, resolved

DESCRIPTIONS = descriptions((CHART / "values.yaml").read_text(encoding="utf-8"))
GENERATED = files()


@pytest.mark.parametrize("name", GENERATED)
def test_generated_file_is_up_to_date(name: str):
    """`make chart` would not change anything."""
    assert (CHART / name).read_text(encoding="utf-8") == GENERATED[name]


PATHS = [path for path, _ in nodes() if path and ANY not in path]


def _is_listed(path: tuple[str, ...]) -> bool:
    try:
        default(path)
    except (KeyError, TypeError):
        return False
    return True


def _is_inside_a_map(path: tuple[str, ...]) -> bool:
    """Whether the description of a map explains its keys, because they are those of Kubernetes."""
    return {"resources", "timeouts"} & {*path[:-1]} != set()


@pytest.mark.parametrize("path", [path for path in PATHS if path[0] not in {"settings", "schedules"}], ids=".".join)
def test_value_is_listed_in_values_yaml(path: tuple[str, ...]):
    """values.yaml contains each value, or its section has it from podDefaults or tierDefaults."""
    name = ".".join(path)
    assert _is_listed(path) or _is_inside_a_map(path) or described(name, DESCRIPTIONS), (
        f"{name} is in structure.yaml only; add it to values.yaml"
    )


LEAVES = [
    path
    for path in PATHS
    if path[0] not in {"settings", "schedules", "assets"} and _is_listed(path) and not isinstance(default(path), dict)
]


@pytest.mark.parametrize("path", LEAVES, ids=".".join)
def test_value_is_described_in_full_sentences(path: tuple[str, ...]):
    """Each description begins with a capital letter or a name in backquotes, and ends with a period."""
    text = described(".".join(path), DESCRIPTIONS)
    assert re.fullmatch(r"[A-Z`].*[.]", text), text


ROWS = re.findall(
    r"^\| `([\w.-]+)` \| .*? \| (?:`.*?`|see values\.yaml) \| (.*) \|$", GENERATED["README.md"], re.MULTILINE
)


@pytest.mark.parametrize(("name", "text"), ROWS, ids=[name for name, _ in ROWS])
def test_row_of_the_readme_has_a_description_in_full_sentences(name: str, text: str):
    """Each row of the table of values has a description, also if the value is a map or its keys are the user's."""
    assert re.fullmatch(r"[A-Z`].*[.]", text), f"{name}: {text!r}; write it above the key in values.yaml"


def test_table_of_the_readme_has_all_sections():
    """The table begins with the first value and has each section of values.yaml, so no row escapes the test above."""
    assert {name.partition(".")[0] for name, _ in ROWS} == DEFAULTS.keys()
    table = GENERATED["README.md"].partition(BEGIN)[2].partition("The formats of strings")[0]
    assert len(ROWS) == table.count("\n| `")


def _schema_at(path: tuple[str, ...]) -> Schema | None:
    """Return the schema of a value with its own description, which may stand next to a reference."""
    place: Schema = SCHEMA
    for step in path:
        place = resolved(place).get("properties", {}).get(step)
        if place is None:
            return None
    return place


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_schema_has_the_description_of_values_yaml(name: str):
    """An editor that reads the schema shows the text of values.yaml. The user's own entries are not in the schema."""
    schema = _schema_at(tuple(name.split(".")))
    if schema is None:
        assert name.startswith(("tiers.", "schedules.", "assets."))
    else:
        assert schema["description"] == DESCRIPTIONS[name]
