"""Cases in which the chart refuses assets."""

from typing import Any

from support.refused_values import Case, Values


def _assets(**fields: Any) -> Values:
    return {"assets": {"AMD": {"type": "stock", **fields}}}


def _case(field: str, wrong: Any, right: Any, *parts: str) -> Case:
    place = f"assets.AMD.{field}"
    return Case(_assets(**{field: wrong}), (place, *parts), (_assets(**{field: right}),))


ASSET_CASES = {
    "assets that are null": Case({"assets": None}, ("assets: null", "leave the key out", "[]"), ({"assets": []},)),
    "a symbol that YAML reads as a boolean": Case(
        {"assets": {"true": {"type": "stock"}}}, ("assets.true", "in quotes", "'ON'"), ({"assets": {"true": None}},)
    ),
    "a symbol that YAML reads as a number": Case(
        {"assets": {"100000": {"type": "stock"}}},
        ("assets.100000", "1E5", "in quotes"),
        ({"assets": {"100000": None}},),
    ),
    "an entry with another symbol": _case("symbol", "INTC", "AMD", "INTC is not the symbol", "remove the field"),
    "an invalid symbol": Case(
        {"assets": {"amd": {"type": "stock"}}}, ("assets.amd", "capitals"), ({"assets": {"amd": None}},)
    ),
    "two entries of a list with one symbol": Case(
        {"assets": [{"symbol": "AMD", "type": "stock"}, {"symbol": "AMD", "type": "stock"}]},
        ("assets.AMD", "twice", "remove one"),
        ({"assets": [{"symbol": "AMD", "type": "stock"}]},),
    ),
    "an asset without a type": Case({"assets": {"AMD": {}}}, ("assets.AMD.type", "missing", "crypto"), (_assets(),)),
    "a kind of another type": _case("kind", "coin", "equity", "has the type crypto, not stock"),
    "a long name": _case("name", "A" * 101, "A" * 100, "at most 100 characters"),
    "a minor unit": _case("currency", "GBp", "GBP", "minor unit", "write GBP"),
    "an unknown currency": _case("currency", "XXZ", "USD", "XXZ", "ISO 4217", "USD"),
    "a symbol of a provider with a space": _case(
        "providers", {"yahoo": "A B"}, {"yahoo": "AB"}, "yahoo", "without spaces"
    ),
    "a short alias": _case("aliases", ["A"], ["Advanced"], "2 to 60 characters"),
    "an alias that is written twice": _case("aliases", ["Advanced", "ADVANCED"], ["Advanced"], "twice", "remove one"),
    "a long exchange": _case("exchanges", ["New York"], ["NYSE"], "New York", "NASDAQ, NYSE or LSE"),
    "an exchange that is written twice": _case("exchanges", ["NYSE", "nyse"], ["NYSE"], "twice", "remove one"),
}
