"""Failure tables for providers: one case per fault, and the check of its consequences.

Providers and Redis are real, and the upstreams are a simulator.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import redis

from financehub_shared.breaker import list_breakers
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quarantined, Quote
from financehub_shared.core.settings import load_settings
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.providers.build import Providers, build_providers
from financehub_shared.providers.failover import fetch_quotes
from financehub_shared.providers.quote_report import QuoteReport
from financehub_shared.redis import keys
from support.redis_server import PATIENT_SECONDS
from support.simulator import RunningSimulator


@dataclass(frozen=True)
class FailureCase:
    """One fault of one upstream and its consequences.

    Args:
        upstream: The upstream with the fault, which is the first choice of the provider order.
        fault: Name of the fault in the simulator.
        reason: Kind of the error, or a regular expression for the reason of a rejected quote. "" if the provider
            delivers despite the fault.
        failover: The provider that delivers instead, or "" if there is none and the stored quote remains.
        breaker: `unaffected`, `counted` (one more failure), or `opened` (immediately, for `retry_after` seconds).
        spent: Spent units of the upstream's budget.
        quarantine: Regular expression for the quarantine record's reason, or "" if there is no record.
        parameters: Parameters of the fault.
    """

    upstream: str
    fault: str
    reason: str
    failover: str
    breaker: str = "counted"
    spent: int = 1
    quarantine: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The test id of the case."""
        return f"{self.upstream}-{self.fault}"


@dataclass(frozen=True)
class FaultyFetch:
    """The report of a fetch with a fault, and the Redis state before and after it."""

    report: QuoteReport
    before: Quote
    stored: Quote
    quarantined: Sequence[Quarantined]
    breaker: str
    spent: int


#: Parameters of the fault `slow`, and the environment of providers that time out earlier. All other cases have long
#: timeouts, so that a busy machine does not change the result.
SLOW = {"seconds": 15.0}
SHORT_READ_TIMEOUT = {"FINANCEHUB_READ_TIMEOUT_SECONDS": "3.0"}
_LONG_TIMEOUTS = {"FINANCEHUB_CONNECT_TIMEOUT_SECONDS": "15", "FINANCEHUB_READ_TIMEOUT_SECONDS": "20"}


@asynccontextmanager
async def providers_for(
    simulator: RunningSimulator, redis_url: str | None, **environment: str
) -> AsyncIterator[Providers]:
    """Yield the providers of one process whose upstreams are the simulator."""
    settings = load_settings({**simulator.environment, **_LONG_TIMEOUTS, **environment})
    providers = build_providers(
        settings, SystemClock(), lambda *_: None, redis_url=redis_url, redis_timeout_seconds=PATIENT_SECONDS
    )
    try:
        yield providers
    finally:
        await providers.aclose()


async def fetch_with_fault(
    case: FailureCase, asset: Asset, provider_order: str, simulator: RunningSimulator, redis_url: str
) -> FaultyFetch:
    """Fetch and store a good quote, fetch again with the fault, and return what happened.

    Args:
        case: The failure case.
        asset: The asset to fetch.
        provider_order: Names of the providers, comma-separated, first choice first.
        simulator: A simulator after a reset.
        redis_url: URL of an empty Redis.
    """
    clock, client = SystemClock(), redis.Redis.from_url(redis_url)
    store = RedisStore(client)
    order = (
        {"FINANCEHUB_CRYPTO_PROVIDERS": provider_order}
        if asset.type is AssetType.CRYPTO
        else {"FINANCEHUB_STOCK_PROVIDERS": provider_order}
    )
    timeout = SHORT_READ_TIMEOUT if case.fault == "slow" else {}
    async with providers_for(simulator, redis_url, **order, **timeout) as providers:

        async def fetch() -> QuoteReport:
            stored, disputes = store.quotes([asset.symbol]), store.disputes()
            deadline = clock.monotonic() + 90
            report = await fetch_quotes(providers.quotes[asset.type], [asset], stored, disputes, deadline, clock)
            store.put_quotes(report.quotes.values(), replaced=report.replaced)
            store.put_disputes(report.disputes)
            store.put_quarantined(report.quarantined)
            return report

        first = await fetch()
        assert first.delivered == {f"simulated/{case.upstream}": 1}, first
        spent_before = spent_units(client, case.upstream)
        simulator.set_fault(case.fault, case.upstream, **case.parameters)
        before = store.quotes([asset.symbol])[asset.symbol]
        report = await fetch()
        fetched = FaultyFetch(
            report=report,
            before=before,
            stored=store.quotes([asset.symbol])[asset.symbol],
            quarantined=store.quarantined(),
            breaker=breaker_effect(client, case.upstream, case.parameters.get("retry_after")),
            spent=spent_units(client, case.upstream) - spent_before,
        )
    client.close()
    return fetched


def check_consequences(case: FailureCase, fetched: FaultyFetch, asset: Asset) -> None:
    """Assert that the consequences are as the case expects."""
    symbol = asset.symbol
    reason = fetched.report.failures[symbol].get(f"simulated/{case.upstream}", "")
    # the reason consists of the error's kind and a sentence
    assert re.fullmatch(case.reason if ":" in case.reason or not case.reason else f"{case.reason}: .+", reason), reason
    delivering = case.failover if case.reason else case.upstream
    if delivering:
        assert fetched.report.delivered == {f"simulated/{delivering}": 1}
        assert fetched.stored.provider == f"simulated/{delivering}"
        assert fetched.stored.fetched_at > fetched.before.fetched_at
        assert (reason in fetched.stored.note) or not reason
    else:
        assert symbol in fetched.report.missing
        assert fetched.stored == fetched.before
    assert (fetched.breaker, fetched.spent) == (case.breaker, case.spent)
    reasons = [record.reason for record in fetched.quarantined]
    assert len(reasons) == bool(case.quarantine), reasons
    if case.quarantine:
        assert re.match(case.quarantine, reasons[0]), reasons[0]
        assert fetched.quarantined[0].provider == f"simulated/{case.upstream}"


def spent_units(client: redis.Redis, upstream: str) -> int:
    """Return the spent units of the longest budget window, in which no unit expires during a test."""
    windows = sorted(client.scan_iter(keys.budget(upstream, "*")), key=lambda key: float(key.split(b":")[-1][:-1]))
    return sum(int(slot.split(b":")[1]) for slot in client.hvals(windows[-1])) if windows else 0


def breaker_effect(client: redis.Redis, name: str, retry_after: float | None) -> str:
    """Return the effect on the breaker in the terms of `FailureCase.breaker`."""
    (info,) = [info for info in list_breakers(client) if info.upstream == name] or [None]
    if info is None or (info.state == "closed" and info.failures == 0):
        return "unaffected"
    if info.state == "closed":
        return f"counted {info.failures}" if info.failures > 1 else "counted"
    assert info.open_until is not None
    assert info.since is not None
    open_seconds = info.open_until - info.since
    as_requested = retry_after is not None and retry_after <= open_seconds <= retry_after * 1.25
    return "opened" if as_requested else f"opened for {open_seconds} s"
