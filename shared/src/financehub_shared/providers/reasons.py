"""Formats the reasons why providers did not deliver an asset, and decides which of them concern the asset itself."""

from collections import Counter
from collections.abc import Mapping

from financehub_shared.core.errors import BlockedError, MalformedError, NotFoundError, ProviderError, StaleError
from financehub_shared.core.models import Quarantined

#: Errors that can concern one asset. All others concern the provider: timeouts, limits, an open breaker.
_OF_ONE_ASSET = (NotFoundError, MalformedError, StaleError, BlockedError)


def format_reasons(reasons: Mapping[str, str]) -> str:
    """Return `binance: timeout: no answer; kraken: not-found: unknown pair`, or `no provider serves it`."""
    return "; ".join(f"{provider}: {reason}" for provider, reason in reasons.items()) or "no provider serves it"


def asset_errors(missing: Mapping[str, ProviderError]) -> dict[str, ProviderError]:
    """Return the errors that concern single assets. An error that several assets share concerns the whole request.

    Args:
        missing: Symbol → error, for the symbols that one provider did not deliver in one batch.
    """
    shared = Counter(map(id, missing.values()))
    return {
        symbol: error
        for symbol, error in missing.items()
        if isinstance(error, _OF_ONE_ASSET) and shared[id(error)] == 1
    }


def quarantine_error(kind: str, symbol: str, error: ProviderError, now: float) -> Quarantined:
    """Return the quarantine record of an asset that a provider did not deliver.

    Args:
        kind: `quote` or `bar`.
        symbol: Canonical symbol.
        error: The provider's error.
        now: Unix seconds.
    """
    return Quarantined(kind, symbol, error.provider, error.reason, "", now)
