"""Parses what Yahoo's responses have in common: symbols, errors and the document. Pure."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from financehub_shared.core.errors import MalformedError, NotFoundError, ProviderError, UpstreamError
from financehub_shared.core.kinds import KINDS
from financehub_shared.core.models import Asset
from financehub_shared.providers.transport import parse, strict_json
from financehub_shared.providers.transport.status import error_of_status

_DOLLAR = re.compile(r"(USD)?([A-Z]{3})=X")
#: Text of Yahoo's maintenance page, which has status 200.
MAINTENANCE = b"will be right back"


class NoDataInRangeError(NotFoundError):
    """The symbol is known but was not traded in the requested days."""


def own_symbol(asset: Asset) -> str | None:
    """Return Yahoo's symbol for an asset.

    Returns None for a coin without a `yahoo` entry in its provider symbols, because Yahoo numbers coins: its `UNI-USD`
    is not Uniswap.
    """
    explicit = asset.provider_symbols.get("yahoo")
    return explicit or (asset.symbol if "yahoo" in KINDS[asset.kind].providers else None)


def spellings(symbol: str) -> tuple[str, ...]:
    """Return the symbols with which Yahoo answers a request for a symbol.

    Yahoo has two symbols for the price of a dollar, `JPY=X` and `USDJPY=X`, and answers a request for one of them with
    either.
    """
    found = _DOLLAR.fullmatch(symbol)
    return (symbol,) if found is None else (symbol, f"{'' if found[1] else 'USD'}{found[2]}=X")


def error_of_answer(provider: str, status: int, headers: Mapping[str, str], body: bytes, now: float) -> ProviderError:
    """Return the error for a response with an error status. A 404 means 'not found' only if Yahoo's JSON says so.

    Args:
        provider: Name of the provider.
        status: HTTP status of 400 or more.
        headers: Response headers with lower-case names.
        body: The body, as far as it was read.
        now: Unix seconds.
    """
    if status not in {400, 404, 422}:
        return error_of_status(provider, status, headers, body[:4_096], now)
    try:
        answer = parse.mapping(provider, strict_json.loads(provider, body), "error")
    except MalformedError:
        return UpstreamError(provider, f"HTTP {status} without an error of Yahoo; the path may have changed")
    section = answer.get("chart") or answer.get("finance") or answer.get("quoteResponse")
    error = section.get("error") if isinstance(section, dict) else None
    description = str(error.get("description", ""))[:200] if isinstance(error, dict) else ""
    if description.startswith("Data doesn't exist"):
        return NoDataInRangeError(provider, "Yahoo has no data of the requested days")
    if status == 404:
        return NotFoundError(provider, f"Yahoo does not know the symbol ({description or 'HTTP 404'})")
    return UpstreamError(provider, f"Yahoo refused the request with HTTP {status}: {description or 'without a reason'}")


def document(
    provider: str, body: bytes, section: str, elements: str | None = None, *, figures: bool = False
) -> dict[str, Any]:
    """Return the named section of a response with status 200.

    Args:
        provider: Name of the provider.
        body: The response.
        section: Key of the section.
        elements: See `strict_json.loads`.
        figures: Whether to use `strict_json.load_figures` instead.

    Raises:
        UpstreamError: The response is the maintenance page or contains an error.
        MalformedError: The response is not JSON or has an unexpected shape.
    """
    if not body.lstrip()[:1] == b"{" and MAINTENANCE in body[:65_536].lower():
        raise UpstreamError(provider, "Yahoo is down for maintenance ('Will be right back' with status 200)")
    loads = strict_json.load_figures if figures else partial(strict_json.loads, elements=elements)
    part = parse.mapping(provider, loads(provider, body), "the answer").get(section)
    found = parse.mapping(provider, part, section)
    if found.get("error"):
        raise UpstreamError(provider, f"Yahoo reports an error: {str(found['error'])[:200]}")
    return found
