"""The views of an asset and of its first fetch."""

from collections.abc import Mapping
from typing import Annotated

from typing_extensions import TypedDict

from financehub_shared.core.models import Asset, Quote
from financehub_shared.views.fields import Field
from financehub_shared.views.formats import DecimalText, decimal_text


class AssetView(TypedDict):
    """One asset that FinanceHub tracks."""

    symbol: Annotated[str, Field(description="The canonical symbol.", examples=["BTC-USD"])]
    type: Annotated[str, Field(description="The type, which decides the price task: `crypto` or `stock`.")]
    kind: Annotated[str, Field(description="The kind: `coin`, `equity`, `fund`, `index`, `fx` or `future`.")]
    name: Annotated[str, Field(description="The name for people. Empty if there is none.", examples=["Bitcoin"])]
    currency: Annotated[str, Field(description="The ISO 4217 code of the currency of its prices.", examples=["USD"])]
    active: Annotated[bool, Field(description="Whether data is fetched and computed for the asset.")]
    declared: Annotated[bool, Field(description="Whether the assets file declares the asset.")]
    providers: Annotated[
        Mapping[str, str],
        Field(
            description="The symbols of providers that use another symbol, by provider.",
            examples=[{"kraken": "XBTUSD"}],
        ),
    ]
    aliases: Annotated[
        list[str], Field(description="Other names under which headlines mention the asset.", examples=[["Google"]])
    ]
    exchanges: Annotated[
        list[str],
        Field(description="The exchanges that headlines name with its ticker.", examples=[["NASDAQ"]]),
    ]


class FirstFetchView(TypedDict):
    """The result of the first fetch of an asset that was added."""

    price: Annotated[DecimalText | None, Field(description="The price in `currency`. Null if there is none.")]
    currency: Annotated[
        str | None, Field(description="The ISO 4217 code of the currency of the price. Null without a price.")
    ]
    provider: Annotated[str | None, Field(description="The provider of the price. Null without a price.")]
    quality: Annotated[
        str | None, Field(description="The quality: `good`, `corrected` or `unconfirmed`. Null without a price.")
    ]
    note: Annotated[str, Field(description="Why the quality is not good, or which providers failed. Often empty.")]
    problem: Annotated[str, Field(description="Why there is no price. Empty if there is one.")]


class AddedAssetView(AssetView):
    """One asset that was added, with its first fetch."""

    first_fetch: Annotated[
        FirstFetchView | None, Field(description="The result of the first fetch. Null if none was requested.")
    ]


def asset_view(asset: Asset) -> AssetView:
    """Return the view of an asset."""
    return {
        "symbol": asset.symbol,
        "type": asset.type.value,
        "kind": asset.kind.value,
        "name": asset.name,
        "currency": asset.currency,
        "active": asset.active,
        "declared": asset.declared,
        "providers": dict(asset.provider_symbols),
        "aliases": list(asset.aliases),
        "exchanges": list(asset.exchanges),
    }


def first_fetch_view(quote: Quote | None, problem: str) -> FirstFetchView:
    """Return the view of the first fetch of an asset.

    Args:
        quote: The stored quote, or None.
        problem: Why there is no quote. Empty if there is one.
    """
    return {
        "price": decimal_text(quote.price) if quote else None,
        "currency": quote.currency if quote else None,
        "provider": quote.provider if quote else None,
        "quality": quote.quality.value if quote else None,
        "note": quote.note if quote else "",
        "problem": problem,
    }


def added_asset_view(asset: Asset, first_fetch: FirstFetchView | None) -> AddedAssetView:
    """Return the view of an asset that was added, with the view of its first fetch, if it had one."""
    return {**asset_view(asset), "first_fetch": first_fetch}
