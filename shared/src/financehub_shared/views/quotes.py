"""The view of a quote."""

from collections.abc import Mapping
from typing import Annotated

from typing_extensions import TypedDict

from financehub_shared.core.models import Asset, Quote
from financehub_shared.views.fields import Field
from financehub_shared.views.formats import DecimalText, Time, decimal_text, iso_time, optional_decimal_text


class QuoteView(TypedDict):
    """The latest price of one asset."""

    symbol: Annotated[str, Field(description="The canonical symbol of the asset.", examples=["BTC-USD"])]
    type: Annotated[str, Field(description="The type of the asset: `crypto` or `stock`.")]
    price: Annotated[DecimalText, Field(description="The price of one unit of the asset in `currency`.")]
    currency: Annotated[str, Field(description="The ISO 4217 code of the currency of the price.", examples=["USD"])]
    change_percent: Annotated[
        DecimalText | None,
        Field(
            description="The change from the previous close in percent; for crypto, from the price 24 hours ago. Null "
            "if the provider does not report it."
        ),
    ]
    volume: Annotated[
        DecimalText | None,
        Field(
            description="The volume over the session in units of the asset; for crypto, over 24 hours. Null if the "
            "provider does not report it."
        ),
    ]
    provider: Annotated[
        str,
        Field(
            description="The provider that delivered the price. Simulated prices have the provider `simulated/<name>`.",
            examples=["binance"],
        ),
    ]
    upstream_at: Annotated[
        Time | None,
        Field(description="The time of the price according to the provider. Null if the provider does not report it."),
    ]
    fetched_at: Annotated[Time | None, Field(description="The time at which FinanceHub received the price.")]
    age_seconds: Annotated[float, Field(description="The time since `fetched_at` in seconds.")]
    stale: Annotated[
        bool,
        Field(
            description="Whether two runs of the price task were due after `fetched_at` and had time to finish, but "
            "neither delivered a newer price."
        ),
    ]
    quality: Annotated[
        str, Field(description="How far the price can be trusted: `good`, `corrected` or `unconfirmed`.")
    ]
    note: Annotated[
        str,
        Field(
            description="Why the quality is not good, or which providers failed before this one. Empty if there is "
            "nothing to say."
        ),
    ]


def quote_view(asset: Asset, quote: Quote, now: float, limits: Mapping[str, float]) -> QuoteView:
    """Return the view of a quote.

    Args:
        asset: The asset of the quote.
        quote: The quote.
        now: The current time in Unix seconds.
        limits: Dataset → age in seconds beyond which it is stale (`health.freshness.dataset_limits`).
    """
    return {
        "symbol": quote.symbol,
        "type": asset.type.value,
        "price": decimal_text(quote.price),
        "currency": quote.currency,
        "change_percent": optional_decimal_text(quote.change_percent),
        "volume": optional_decimal_text(quote.volume),
        "provider": quote.provider,
        "upstream_at": iso_time(quote.upstream_at),
        "fetched_at": iso_time(quote.fetched_at),
        "age_seconds": _age(quote, now),
        "stale": _is_stale(asset, quote, now, limits),
        "quality": quote.quality.value,
        "note": quote.note,
    }


def aged(view: QuoteView, asset: Asset, quote: Quote, now: float, limits: Mapping[str, float]) -> QuoteView:
    """Return an earlier view of the same quote as it is now. Both share all texts.

    Args:
        view: The earlier view.
        asset: The asset of the quote.
        quote: The quote.
        now: The current time in Unix seconds.
        limits: Dataset → age in seconds beyond which it is stale.
    """
    return {**view, "age_seconds": _age(quote, now), "stale": _is_stale(asset, quote, now, limits)}


def _age(quote: Quote, now: float) -> float:
    return round(now - quote.fetched_at, 3)


def _is_stale(asset: Asset, quote: Quote, now: float, limits: Mapping[str, float]) -> bool:
    return now - quote.fetched_at > limits[f"quotes:{asset.type}"]
