"""Tests of decimals as JSON numbers."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from financehub_shared.views.formats import DecimalText, Time
from financehub_shared.views.quotes import QuoteView
from financehub_shared.views.runs import RunView
from financehub_web.api.decimals import with_numbers


class Point(TypedDict):
    """A view with a decimal."""

    at: Annotated[Time | None, Field(description="A time.")]
    price: Annotated[DecimalText, Field(description="A price.")]


class Series(TypedDict):
    """A view that contains others."""

    name: str
    newest: Point | None
    points: Annotated[list[Point], Field(description="Points.")]
    volume: Annotated[DecimalText | None, Field(description="A volume.")]


def test_decimals_become_numbers_on_all_levels() -> None:
    """Only decimals change: those in lists and nested views too, and missing ones stay null."""
    point = {"at": "2026-01-15T08:00:00.000Z", "price": "0.10"}
    view = {"name": "1.5", "newest": None, "points": [point, point], "volume": None}
    number = {**point, "price": 0.1}
    assert with_numbers(view, Series) == {**view, "points": [number, number]}
    assert with_numbers({**view, "newest": point, "volume": "7"}, Series) == {
        **view,
        "newest": number,
        "points": [number, number],
        "volume": 7.0,
    }


def test_views_of_the_product_have_the_expected_decimals() -> None:
    """Price, change and volume of a quote are decimals, and a run has none."""
    texts = dict.fromkeys(QuoteView.__annotations__, "1")
    changed = {name for name, value in with_numbers(texts, QuoteView).items() if value == 1.0}
    assert changed == {"price", "change_percent", "volume"}
    run = {"message_id": "1"}
    assert with_numbers(run, RunView) is run
