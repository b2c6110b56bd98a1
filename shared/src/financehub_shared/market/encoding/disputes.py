"""Encodes disputes as JSON. For each field of the claims, the JSON maps providers to values."""

from decimal import Decimal
from typing import Any

from financehub_shared.core.errors import CorruptDataError
from financehub_shared.core.models import Quote
from financehub_shared.market.encoding.fields import MAX_SECONDS, Fields, dumps
from financehub_shared.market.encoding.record_names import RecordName
from financehub_shared.market.encoding.records import decode_quote, encode_quote
from financehub_shared.market.quality.disputes import Claim, Dispute
from financehub_shared.market.quality.quotes import PRICE_RANGE
from financehub_shared.redis import keys


def dispute_record(symbol: str) -> RecordName:
    """Name the record of a dispute."""
    return RecordName(keys.DISPUTES, symbol, "the next run of the price task deletes it; {remove} now")


def encode_dispute(dispute: Dispute) -> str:
    """Encode a dispute without its symbol, which is the hash field."""
    claims = dispute.claims
    record: dict[str, Any] = {
        "since": dispute.since,
        "checked_at": dispute.checked_at,
        "prices": {provider: float(claim.price) for provider, claim in claims.items()},
        "claimed_since": {provider: claim.since for provider, claim in claims.items()},
        "market_since": {provider: claim.market_since for provider, claim in claims.items()},
        "seen_at": {provider: claim.seen_at for provider, claim in claims.items()},
    }
    if dispute.trusted is not None:
        record["trusted"] = encode_quote(dispute.trusted)
    return dumps(record)


def decode_dispute(symbol: str, raw: bytes) -> Dispute:
    """Decode a dispute.

    Raises:
        CorruptDataError: A field is missing or invalid.
    """
    name = dispute_record(symbol)
    fields = Fields(name, raw)
    prices, since = fields.number_by_name("prices"), fields.number_by_name("claimed_since")
    market_since, seen_at = fields.number_by_name("market_since"), fields.number_by_name("seen_at")
    if not prices.keys() == since.keys() == market_since.keys() == seen_at.keys():
        raise name.corrupt("has claims without all of their fields")
    if any(not float(PRICE_RANGE[0]) <= price <= float(PRICE_RANGE[1]) for price in prices.values()):
        raise name.corrupt("has a claim whose price is outside the plausible range")
    if any(abs(time) >= MAX_SECONDS for times in (since, market_since, seen_at) for time in times.values()):
        raise name.corrupt("has a claim whose time is not a time")
    return Dispute(
        since=fields.time("since"),
        claims={
            provider: Claim(Decimal(str(price)), since[provider], market_since[provider], seen_at[provider])
            for provider, price in prices.items()
        },
        trusted=_decode_trusted(name, symbol, fields),
        checked_at=fields.time("checked_at"),
    )


def _decode_trusted(name: RecordName, symbol: str, fields: Fields) -> Quote | None:
    if not fields.has("trusted"):
        return None
    try:
        return decode_quote(symbol, fields.text("trusted").encode())
    except CorruptDataError as error:
        raise name.corrupt("has a trusted quote that cannot be read") from error
