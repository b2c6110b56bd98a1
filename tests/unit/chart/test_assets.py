"""Tests of the values of assets: maps and lists, null, symbols that YAML does not read as text, and the scheduler."""

import itertools
import json
import re
import shutil
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from financehub_shared.core.models import Asset
from financehub_shared.market.assets_export import write_assets
from financehub_shared.market.assets_file import AssetsFileError, load_assets, parse_assets
from support.chart import CHART, refusal, render
from support.values_schema import SCHEMA

LOCAL = Path(__file__).parents[3] / "deploy" / "local" / "assets.yaml"
SHIPPED = {asset.symbol: asset for asset in load_assets(LOCAL)}


def written(values: dict[str, Any]) -> dict[str, Asset]:
    """Return the assets that the scheduler reads from the ConfigMap, by symbol."""
    text = render(values).one("ConfigMap", "financehub-assets")["data"]["assets.yaml"]
    return {asset.symbol: asset for asset in parse_assets(text, "assets.yaml")}


def from_yaml(text: str) -> dict[str, Any]:
    """Return values as Helm reads them from a file."""
    return dict(helm_python.values_from_yaml(text))


AMD = {"type": "stock", "name": "AMD"}


@pytest.mark.parametrize(
    ("text", "added", "removed"),
    [
        ("{}", {}, set()),
        ("assets: {}", {}, set()),
        ("assets: {AMD: {type: stock, name: AMD}}", {"AMD"}, set()),
        ("assets: {AMD: {symbol: AMD, type: stock}}", {"AMD"}, set()),
        ("assets: {AMD: {symbol: null, type: stock}}", {"AMD"}, set()),
        ("assets: {AMD: {type: stock, name: null, kind: null, providers: {yahoo: null}}}", {"AMD"}, set()),
        ("assets: {AAPL: null}", {}, {"AAPL"}),
        ("assets: {UNKNOWN: null}", {}, set()),
        ('assets: {"ON": null, "NO": {type: stock}}', {"NO"}, {"ON"}),
        ('assets: {"TRUE": {type: stock}, "1E5": null}', {"TRUE"}, set()),
        ("assets: {AAPL: {active: false}}", {}, set()),
        ("assets: {BTC-USD: {providers: {kraken: null}}}", {}, set()),
        ("assets: {" + ", ".join(f'"{symbol}": null' for symbol in SHIPPED) + "}", {}, {*SHIPPED}),
        ("assets: []", {}, {*SHIPPED}),
        ("assets: [{symbol: AMD, type: stock}]", {"AMD"}, {*SHIPPED}),
    ],
)
def test_assets_of_the_values_add_to_the_shipped_ones_or_replace_them(text: str, added: set[str], removed: set[str]):
    """A map adds, changes and removes (null) single assets. Only a list replaces all of the chart's assets."""
    assets = written(from_yaml(text))
    assert assets.keys() == (SHIPPED.keys() | set(added)) - removed


def test_entry_of_a_shipped_asset_changes_only_its_fields():
    """Fields that an entry does not state keep the values of the chart, and null removes a field."""
    found = written(from_yaml("assets: {AAPL: {active: false}, BTC-USD: {providers: {kraken: null}}}"))
    assert (found["AAPL"].active, found["AAPL"].name) == (False, "Apple")
    assert found["BTC-USD"].provider_symbols == {"coingecko": "bitcoin"}
    assert {name for name in SHIPPED if found[name] != SHIPPED[name]} == {"AAPL", "BTC-USD"}


def test_default_assets_are_those_of_make_run():
    """The chart and `make run` track the same assets."""
    assert written({}) == SHIPPED


#: Symbols that Helm's reader of YAML does not read as text if they have no quotes.
UNQUOTED = [
    "ON",
    "On",
    "NO",
    "OFF",
    "Y",
    "N",
    "YES",
    "TRUE",
    "true",
    "FALSE",
    "1E5",
    "0700",
    "7203",
    "1.5",
    ".INF",
    ".NaN",
]


@pytest.mark.parametrize("symbol", UNQUOTED)
@pytest.mark.parametrize("fields", ["{type: stock}", "{active: false}", "{}"])
def test_symbol_that_yaml_does_not_read_as_text_is_refused(symbol: str, fields: str):
    """The message says to write the symbol in quotes, because nobody can know from `true` whether it was ON or YES."""
    message = refusal(from_yaml(f"assets:\n  {symbol}: {fields}\n"))
    assert "write the symbol in quotes" in message
    assert "assets." in message


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("assets:", ("assets: null", "leave the key out", "[]")),
        ("assets: null", ("assets: null",)),
        ("assets: ''", ("/assets",)),
        ("assets: AAPL", ("/assets",)),
        ("assets: 1", ("/assets",)),
        ("assets: true", ("/assets",)),
        ("assets: [null]", ("/assets/0",)),
        ("assets: [AAPL]", ("/assets/0",)),
        ("assets: [[]]", ("/assets/0",)),
        ("assets: [{type: stock}]", ("/assets/0", "symbol")),
        ("assets: [{symbol: AMD}]", ("assets.AMD.type", "missing")),
        ("assets: [{symbol: null, type: stock}]", ("/assets/0/symbol",)),
        ("assets: [{symbol: ON, type: stock}]", ("/assets/0/symbol",)),
        ("assets: [{symbol: 1E5, type: stock}]", ("/assets/0/symbol",)),
        ("assets: [{symbol: AMD, type: stock}, {symbol: AMD, type: stock}]", ("assets.AMD", "twice")),
        ("assets: {AMD: {}}", ("assets.AMD.type", "missing; write crypto or stock")),
        ("assets: {AMD: stock}", ("/assets/AMD",)),
        ("assets: {AMD: [stock]}", ("/assets/AMD",)),
        ("assets: {AMD: true}", ("/assets/AMD",)),
        ("assets: {amd: {type: stock}}", ("assets.amd", "capitals")),
        ("assets: {AMD: {symbol: INTC, type: stock}}", ("assets.AMD.symbol", "INTC", "remove the field")),
        ("assets: {AMD: {symbol: amd, type: stock}}", ("assets.AMD.symbol",)),
    ],
)
def test_wrong_shape_of_assets_is_refused(text: str, parts: tuple[str, ...]):
    """Nothing that could be misunderstood reaches the fleet. The message names the place and what to write."""
    message = refusal(from_yaml(text))
    assert [part for part in parts if part not in message] == [], message


#: Values of each field, some of which are valid only together with a type.
FIELDS: dict[str, list[Any]] = {
    "type": ["crypto", "stock", "metal", "", "Stock"],
    "kind": ["fund", "equity", "coin", "fx", "etf", ""],
    "name": ["", "A" * 100, "A" * 101, "  " + "é" * 100 + " ", 'say "no": {a}', "null", "é" * 101],
    "currency": ["", "USD", "EUR", "usd", "GBp", "GBX", "XXZ", "US"],
    "active": [True, False],
    "providers": [
        {},
        {"yahoo": "AMD"},
        {"yahoo": "A B"},
        {"yahoo": "A,B"},
        {"yahoo": ""},
        {"nobody": "A"},
        {"news": "A"},
    ],
    "aliases": [[], ["Advanced"], ["A"], ["A" * 61], ["Adv", "adv"], ["Adv", " Adv "], ["Ad  v", "Ad v"], [" A "]],
    "exchanges": [[], ["NASDAQ"], ["nasdaq"], ["New York"], ["N"], ["NYSE", "nyse"], [" NYSE "]],
    "unknown": ["x"],
}
CASES = [
    {"type": "stock", **fields} if "type" not in fields else fields
    for name, values in FIELDS.items()
    for value in values
    for fields in ({name: value},)
]
PAIRS = [
    {"type": type, first: value, second: other}
    for type in ("crypto", "stock")
    for first, second in itertools.combinations([name for name in FIELDS if name != "type"], 2)
    for value, other in ((FIELDS[first][0], FIELDS[second][0]), (FIELDS[first][-1], FIELDS[second][-1]))
]
#: Parts of the messages about a symbol that does not fit the type, the kind or the currency.
OF_THE_SYMBOL = (
    "; write ",
    "is priced in",
    "is not the symbol of",
    "is not a US ticker",
    "not of the kind",
    ": write ",
)


def _definitions(schema: Any) -> set[str]:
    """Return the names of the definitions that a schema refers to, also indirectly."""
    names = set(re.findall(r'"#/\$defs/([^"/]+)', json.dumps(schema)))
    return names.union(*(_definitions(SCHEMA["$defs"][name]) for name in names))


@pytest.fixture(scope="module")
def assets_only(tmp_path_factory: pytest.TempPathFactory) -> helm_python.Chart:
    """The chart without the templates and values of other subjects, because rendering them so often takes minutes."""
    folder = tmp_path_factory.mktemp("chart") / "financehub"
    shutil.copytree(CHART, folder)
    schema = {**SCHEMA, "properties": {"assets": SCHEMA["properties"]["assets"]}, "additionalProperties": True}
    schema["$defs"] = {name: SCHEMA["$defs"][name] for name in _definitions(SCHEMA["properties"]["assets"])}
    (folder / "values.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    for path in (folder / "templates").rglob("*.*"):
        if path.suffix != ".tpl" and "assets" not in path.name:
            path.unlink()
    return helm_python.Chart.load(folder)


def _is_accepted(chart: helm_python.Chart, assets: Any) -> bool:
    try:
        chart.render({"assets": assets}, name="financehub", namespace="market")
    except helm_python.HelmError:
        return False
    return True


@pytest.mark.parametrize("symbol", ["AMD", "BTC-USD", "VOD.L"])
def test_chart_and_scheduler_accept_the_same_fields(symbol: str, assets_only: helm_python.Chart):
    """The chart accepts an entry, in a map and in a list, if and only if the reader of the assets file accepts it.

    Only the reader knows which symbols fit a type, a kind or a currency, so it alone refuses those that do not.
    """
    for fields in [*CASES, *PAIRS]:
        entry = {"symbol": symbol, **fields}
        accepted = _is_accepted(assets_only, [entry])
        if symbol not in SHIPPED:  # such a symbol would get the chart's fields too
            assert _is_accepted(assets_only, {symbol: fields}) == accepted, entry
        problem = _problem_of_the_reader(entry)
        assert accepted == (not problem) or (accepted and any(each in problem for each in OF_THE_SYMBOL)), entry


def _problem_of_the_reader(entry: dict[str, Any]) -> str:
    try:
        parse_assets(yaml.safe_dump({"assets": [entry]}, allow_unicode=True), "assets.yaml")
    except AssetsFileError as error:
        return str(error)
    return ""


def test_exported_assets_are_accepted_as_a_list():
    """`financehub assets export` prints the form of the list, so its output is a valid value."""
    exported = yaml.safe_load(write_assets(SHIPPED.values()))
    assert written(exported) == SHIPPED


def test_rules_of_the_values_explain_quotes():
    """The comment of the section, which users read before they add an asset, names the symbols that need quotes."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    comment = text[text.index("The assets to track") : text.index("\nassets:")]
    assert all(part in comment for part in ('"ON"', "null", "list"))
