"""CSV, sorting and wide tables of every listing."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import pytest
import redis

from financehub_cli.listing import listing
from financehub_cli.output.options import OUTPUT, Format, OutputOptions
from financehub_cli.output.records import sort_records
from financehub_cli.output.result import CommandResult, print_result
from financehub_cli.output.table import build_table
from support.full_redis import fill

LISTINGS: Sequence[Sequence[str]] = [
    ["quotes"],
    ["bars"],
    ["indicators"],
    ["news"],
    ["quarantine"],
    ["assets", "list", "--all"],
    ["breakers", "list"],
    ["workers"],
    ["dead-letters", "list"],
    ["schedules", "list"],
    ["runs", "list"],
    ["stats"],
    ["stats", "task"],
]


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@pytest.mark.parametrize("words", LISTINGS, ids=" ".join)
def test_csv_of_each_listing_has_the_keys_and_values_of_its_json(
    invoke: Any, redis_client: "redis.Redis", redis_url: str, words: Sequence[str]
) -> None:
    """The header has the keys of the JSON in their order. Text and numbers are the same, lists and objects are JSON."""
    fill(redis_client, redis_url)
    records = json.loads(invoke(*words, "--format", "json").stdout)
    header, *rows = read(invoke(*words, "--format", "csv").stdout)
    assert header == list(records[0])[: len(header)]
    assert len(rows) == len(records) > 0
    for row, record in zip(rows, records, strict=True):
        assert len(row) == len(header)
        for cell, (name, value) in zip(row, record.items(), strict=False):
            if isinstance(value, str) and name != "fetched_at":
                assert cell == value
            if isinstance(value, bool) or value is None:
                assert cell == {True: "true", False: "false", None: ""}[value]


@pytest.mark.parametrize("words", LISTINGS, ids=" ".join)
@pytest.mark.parametrize("wanted", ["csv", "table"])
def test_listing_with_json_and_another_format_is_refused(
    invoke: Any, redis_client: "redis.Redis", words: Sequence[str], wanted: str
) -> None:
    """Two formats contradict each other, in any order. The format that `--json` stands for is not another one."""
    for options in (["--json", "--format", wanted], ["--format", wanted, "--json"]):
        result = invoke(*words, *options)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"--json and --format {wanted} ask for different formats; remove one of them" in result.stderr
    assert "ask for different formats" not in invoke(*words, "--json", "--format", "json").stderr


@pytest.mark.parametrize("words", LISTINGS[:12], ids=" ".join)
def test_csv_of_an_empty_listing_has_the_header(invoke: Any, redis_client: "redis.Redis", words: Sequence[str]) -> None:
    """A script finds the columns even if there is no record."""
    header, *_ = read(invoke(*words, "--format", "csv").stdout)
    assert len(header) > 5


def test_csv_does_not_change_formulas_and_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    """A text that a spreadsheet would run as a formula is data, and is written as it is."""
    records = [{"a": "=cmd|' /C calc'!A0", "b": -0.35, "c": "+49 30", "d": 'say "hi", please'}]
    token = OUTPUT.set(OutputOptions(Format.CSV))
    try:
        print_result(CommandResult(records, ""), as_json=False)
    finally:
        OUTPUT.reset(token)
    shown = capsys.readouterr().out
    assert read(shown) == [["a", "b", "c", "d"], ["=cmd|' /C calc'!A0", "-0.35", "+49 30", 'say "hi", please']]
    assert shown.endswith("\r\n")


def test_sort_orders_records_and_rows_alike(invoke: Any, redis_client: "redis.Redis", redis_url: str) -> None:
    """--sort KEY sorts the table and the JSON by a key of the JSON, and -KEY reverses the order."""
    fill(redis_client, redis_url)
    up = [each["symbol"] for each in json.loads(invoke("assets", "list", "--all", "--sort", "symbol", "--json").stdout)]
    down = invoke("assets", "list", "--all", "--sort", "-symbol").stdout.splitlines()[1:]
    assert up == sorted(up)
    assert [line.split()[0] for line in down] == up[::-1]


def test_sort_by_an_unknown_key_is_refused_with_a_near_one(invoke: Any, redis_client: "redis.Redis") -> None:
    """The message names the keys that the user may have meant, and nothing is printed."""
    result = invoke("quotes", "--sort", "prize")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "financehub: --sort prize: unknown key 'prize'; did you mean price?\n"


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (["10", "9", "-1.5"], [2, 1, 0]),
        ([10, None, 9.5], [2, 0, 1]),
        (["b", "A", ""], [1, 0, 2]),
        (["10", "x"], [0, 1]),
        ([[2], [1]], [1, 0]),
    ],
)
def test_records_are_sorted_by_number_or_text(values: list[Any], order: list[int]) -> None:
    """Decimal numbers in strings are numbers, letters count alike in upper and lower case, and no value comes last."""
    records = [{"key": value} for value in values]
    table = build_table("row", rows=[[index] for index in range(len(values))])
    found, shown = sort_records(records, table, "key")
    assert found == [records[index] for index in order]
    assert [row[0] for row in shown.rows] == order


def test_watch_refuses_csv(invoke: Any, redis_client: "redis.Redis") -> None:
    """A header would be repeated with each refresh."""
    result = invoke("quotes", "--watch", "--format", "csv")
    assert result.exit_code == 2
    assert "remove --watch or --format csv" in result.stderr


def test_listing_options_end_with_the_command() -> None:
    """The options of one command do not apply to the next one in the same process."""
    seen = []

    @listing(dict)
    def command() -> None:
        seen.append(OUTPUT.get().wide)

    command(wide=True)
    command()
    assert seen == [True, False]
    assert OUTPUT.get() == OutputOptions()
