"""Formats the reasons why providers did not deliver an asset, and decides which of them concern the asset itself."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from financehub_shared.core.errors import (
    NO_UPSTREAM,
    BlockedError,
    MalformedError,
    NotFoundError,
    ProviderError,
    StaleError,
    TaskFailedError,
)
from financehub_shared.core.models import Quarantined
from financehub_shared.providers.reach import UpstreamReach

#: Number of different reasons that the error of a task names.
REASONS_SHOWN = 5
_SECONDS = re.compile(r"\b\d+(?:\.\d+)? s\b")

#: Errors that can concern one asset. All others concern the provider: timeouts, limits, an open breaker.
_OF_ONE_ASSET = (NotFoundError, MalformedError, StaleError, BlockedError)


def format_reasons(reasons: Mapping[str, str]) -> str:
    """Return `binance: timeout: no answer; kraken: not-found: unknown pair`, or `no provider serves it`.

    Providers with the same reason share it: `binance, kraken: timeout: no answer`.
    """
    providers: dict[str, list[str]] = {}
    for provider, reason in reasons.items():
        providers.setdefault(reason, []).append(provider)
    return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in providers.items()) or "no provider serves it"


def task_failure(
    problem: str, reasons: Iterable[str], retry_after: float | None, reach: UpstreamReach | None
) -> TaskFailedError:
    """Return the error of a task that obtained nothing.

    Args:
        problem: What is missing, such as `no quote of 20 crypto assets`.
        reasons: The reasons. Those that differ only in a number of seconds, such as a remaining time, appear once.
        retry_after: Seconds until a retry can succeed, if an upstream specified them.
        reach: Whether this machine reaches any upstream. If not, this is the only reason.
    """
    if reach is not None and reach.is_lost:
        return TaskFailedError(f"{problem}: {NO_UPSTREAM}", retry_after)
    distinct = {_SECONDS.sub("", reason): reason for reason in sorted(set(reasons), reverse=True)}
    shown = sorted(distinct.values())[:REASONS_SHOWN]
    return TaskFailedError(f"{problem}: {' | '.join(shown)}", retry_after)


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
