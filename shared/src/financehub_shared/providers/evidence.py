"""Reads the evidence of quotes: the values that an answer reports in addition to a price. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from financehub_shared.core.models import QuoteEvidence
from financehub_shared.providers.transport import parse

#: Maximum number of letters of a market state. Yahoo's longest market state, `POSTPOST`, has 8 letters.
_STATE_LENGTH_MAX = 20


def read_evidence(
    values: Mapping[str, Any],
    factor: Decimal = Decimal(1),
    *,
    previous_close: str | None = None,
    change: tuple[Decimal, str] | None = None,
    low: str | None = None,
    high: str | None = None,
    bid: str | None = None,
    ask: str | None = None,
    trades: str | None = None,
    market_state: str | None = None,
) -> QuoteEvidence:
    """Return the evidence of one quote. A missing or damaged value becomes None and does not affect the quote.

    All names are those of the upstream. A name is None if the upstream does not report the value.

    Args:
        values: The upstream's values of one asset, by name.
        factor: Converts the upstream's prices to the unit of the quote.
        previous_close: Name of the previous close.
        change: The price of the quote, and the name of its change since the previous close, for an upstream that
            reports the change instead of the previous close.
        low: Name of the lowest price.
        high: Name of the highest price.
        bid: Name of the bid.
        ask: Name of the ask.
        trades: Name of the number of trades.
        market_state: Name of the state of the exchange.
    """

    def get(name: str | None) -> Any:
        return None if name is None else values.get(name)

    def price(name: str | None) -> Decimal | None:
        found = parse.optional_number(get(name))
        return found * factor if found is not None and found > 0 else None

    def before(price: Decimal, name: str) -> Decimal | None:
        moved = parse.optional_number(get(name))
        return price - moved * factor if moved is not None and price > moved * factor else None

    def offer(name: str | None) -> Decimal | None:
        found = parse.optional_number(get(name))
        return found * factor if found is not None and found >= 0 else None

    return QuoteEvidence(
        previous_close=price(previous_close) if change is None else before(*change),
        low=price(low),
        high=price(high),
        bid=offer(bid),
        ask=offer(ask),
        trades=_count(get(trades)),
        market_state=_state(get(market_state)),
    )


def _count(value: Any) -> int | None:
    found = parse.optional_number(value)
    return int(found) if found is not None and 0 <= found < 10**15 and found == int(found) else None


def _state(value: Any) -> str:
    is_word = isinstance(value, str) and value.isascii() and value.isalpha() and len(value) <= _STATE_LENGTH_MAX
    return value if is_word else ""
