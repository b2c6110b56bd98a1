"""Arguments of tasks as users write them."""

from typing import Any

import pytest

from financehub_shared.core.argument_text import ArgumentField, argument_fields, parse_argument, parse_fields
from financehub_shared.core.catalog import CATALOG, validate_arguments


def test_fields_are_those_of_the_models_of_the_catalog() -> None:
    """Each argument has one field, and the text of its default value is its default value."""
    for task, spec in CATALOG.items():
        fields = argument_fields(task)
        assert [field.name for field in fields] == list(spec.arguments.model_fields)
        assert parse_fields(task, {field.name: field.default for field in fields}) == {}
        given = {field.name: parse_argument(task, field.name, field.default) for field in fields if field.default}
        assert validate_arguments(task, (), given) == spec.arguments()
    assert argument_fields("cleanup_old_cache_task") == [
        ArgumentField("dry_run", "false", ("false", "true"), is_list=False)
    ]
    assert argument_fields("fetch_news_task") == [ArgumentField("sources", "", (), is_list=True)]


@pytest.mark.parametrize(
    ("task", "name", "text", "value"),
    [
        ("fetch_crypto_prices_task", "symbols", "BTC-USD, ETH-USD", ["BTC-USD", "ETH-USD"]),
        ("fetch_crypto_prices_task", "symbols", "BTC-USD, , ETH-USD,", ["BTC-USD", "ETH-USD"]),
        ("fetch_crypto_prices_task", "symbols", ",", ["", ""]),
        ("fetch_crypto_prices_task", "symbols", ' ["BTC-USD"]', ["BTC-USD"]),
        ("cleanup_old_cache_task", "dry_run", "true", True),
        ("cleanup_old_cache_task", "dry_run", "maybe", "maybe"),
        ("other", "symbols", "a,b", "a,b"),
        ("other", "n", "[" * 100_000, "[" * 100_000),
    ],
)
def test_text_is_parsed_by_the_type_of_the_field(task: str, name: str, text: str, value: Any) -> None:
    """A list is separated by commas. Anything else is JSON or, if it is not, a string."""
    assert parse_argument(task, name, text) == value
