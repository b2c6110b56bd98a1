"""One row of the failure table, and what runs it: a real chain against the simulator, with a real Redis."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import redis

from financehub_shared.breaker import list_breakers
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.models import Asset, AssetType, Quarantined, Quote
from financehub_shared.core.settings import load_settings
from financehub_shared.market.quality.quotes import validate_quote
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.providers.failover import QuoteReport, fetch_quotes
from financehub_shared.providers.registry import Providers, build_providers
from financehub_shared.redis import keys
from support.simulator import RunningSimulator


@dataclass(frozen=True)
class Row:
    """One failure mode of one upstream, and all that must come of it.

    Args:
        upstream: whose fault it is; the first of the chain.
        fault: its name in the simulator.
        reason: regular expression of what the report says of this provider ("": it delivers all the same).
        next: who delivers instead ("": nobody, what was stored stays).
        breaker: `well` (nothing counted against it), `counts` (one more failure), `opens` (at once, for `retry_after`).
        spent: units of this upstream's budget.
        quarantine: regular expression of the reason of the record in quarantine ("": none).
        parameters: of the fault.
    """

    upstream: str
    fault: str
    reason: str
    next: str
    breaker: str = "counts"
    spent: int = 1
    quarantine: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Name of the case."""
        return f"{self.upstream}-{self.fault}"


@dataclass(frozen=True)
class Seen:
    """What came of it: the report, and what is then in Redis."""

    report: QuoteReport
    before: Quote
    stored: Quote
    quarantined: Sequence[Quarantined]
    breaker: str
    spent: int


#: A `slow` upstream, and the environment of providers that do not wait for it. Everything else gets the usual patience:
#: how busy this machine is must not decide what an upstream is found to be.
SLOW = {"seconds": 10.0}
IMPATIENT = {"FINANCEHUB_READ_TIMEOUT_SECONDS": "1.0"}


@asynccontextmanager
async def providers_for(sim: RunningSimulator, redis_url: str | None, **environment: str) -> AsyncIterator[Providers]:
    """The providers of one process, whose upstreams are the simulator."""
    settings = load_settings({**sim.environment, **environment})
    providers = build_providers(settings, SystemClock(), lambda *_: None, redis_url=redis_url)
    try:
        yield providers
    finally:
        await providers.aclose()


async def run(row: Row, asset: Asset, chain: str, sim: RunningSimulator, redis_url: str) -> Seen:
    """Fetch and store a good quote, then again with the fault, and look at what there is.

    Args:
        row: the case.
        asset: whose quote.
        chain: provider order, comma-separated.
        sim: the simulator, reset.
        redis_url: a Redis, empty.
    """
    clock, client = SystemClock(), redis.Redis.from_url(redis_url)
    store = RedisStore(client)
    order = (
        {"FINANCEHUB_CRYPTO_PROVIDERS": chain}
        if asset.type is AssetType.CRYPTO
        else {"FINANCEHUB_STOCK_PROVIDERS": chain}
    )
    patience = IMPATIENT if row.fault == "slow" else {}
    async with providers_for(sim, redis_url, **order, **patience) as providers:

        async def fetch() -> QuoteReport:
            previous = store.quotes([asset.symbol])
            deadline = clock.monotonic() + 30
            report = await fetch_quotes(
                providers.quotes[asset.type], [asset], previous, deadline, clock, validate_quote
            )
            store.put_quotes(report.quotes.values())
            store.put_quarantined(report.quarantined)
            return report

        first = await fetch()
        assert first.delivered == {f"simulated/{row.upstream}": 1}, first
        spent_before = spent(client, row.upstream)
        sim.set_fault(row.fault, row.upstream, **row.parameters)
        before = store.quotes([asset.symbol])[asset.symbol]
        report = await fetch()
        seen = Seen(
            report=report,
            before=before,
            stored=store.quotes([asset.symbol])[asset.symbol],
            quarantined=store.quarantined(),
            breaker=breaker_effect(client, row.upstream, row.parameters.get("retry_after")),
            spent=spent(client, row.upstream) - spent_before,
        )
    client.close()
    return seen


def check(row: Row, seen: Seen, asset: Asset) -> None:
    """Assert that what was seen is what the row says."""
    symbol = asset.symbol
    said = seen.report.failures[symbol].get(f"simulated/{row.upstream}", "")
    assert re.fullmatch(row.reason, said), said
    winner = row.next if row.reason else row.upstream
    if winner:
        assert seen.report.delivered == {f"simulated/{winner}": 1}
        assert seen.stored.provider == f"simulated/{winner}"
        assert seen.stored.fetched_at > seen.before.fetched_at
        assert (said in seen.stored.note) or not said
    else:
        assert symbol in seen.report.missing
        assert seen.stored == seen.before
    assert (seen.breaker, seen.spent) == (row.breaker, row.spent)
    reasons = [record.reason for record in seen.quarantined]
    assert len(reasons) == bool(row.quarantine), reasons
    if row.quarantine:
        assert re.match(row.quarantine, reasons[0]), reasons[0]
        assert seen.quarantined[0].provider == f"simulated/{row.upstream}"


def spent(client: redis.Redis, upstream: str) -> int:
    """Units of the longest budget window that are spent: nothing slides out of it while a test runs."""
    windows = sorted(client.scan_iter(keys.budget(upstream, "*")), key=lambda key: float(key.split(b":")[-1][:-1]))
    return sum(int(slot.split(b":")[1]) for slot in client.hvals(windows[-1])) if windows else 0


def breaker_effect(client: redis.Redis, name: str, retry_after: float | None) -> str:
    """`well`, `counts` or `opens`, as `Row.breaker` has it."""
    (info,) = [info for info in list_breakers(client) if info.upstream == name] or [None]
    if info is None or (info.state == "closed" and info.failures == 0):
        return "well"
    if info.state == "closed":
        return f"counts {info.failures}" if info.failures > 1 else "counts"
    assert info.open_until is not None
    assert info.since is not None
    held = info.open_until - info.since
    return "opens" if retry_after is not None and retry_after <= held <= retry_after * 1.25 else f"opens for {held}"
