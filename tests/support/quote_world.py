"""Simulated days of a price task: scripted providers, a store, and a clock that jumps from run to run.

Every run starts without any state in memory, as after a restart. Disputes are encoded and decoded as in Redis.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache

from financehub_high_priority.quotes import refresh_quotes
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import NotFoundError, ProviderError, ProviderTimeoutError, TaskFailedError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import NO_EVIDENCE, Asset, Quote, QuoteEvidence
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.market.encoding.disputes import decode_dispute, encode_dispute
from financehub_shared.market.quality.disputes import Dispute
from financehub_shared.providers.protocols import QuoteBatch
from support.memory_store import MemoryStore

TASKS = {AssetType.CRYPTO: "fetch_crypto_prices_task", AssetType.STOCK: "fetch_stock_prices_task"}


@dataclass(frozen=True)
class Answer:
    """An upstream's answer about one asset.

    Args:
        price: The price, or None if the upstream does not know the asset.
        evidence: The evidence in the rest of the answer.
        at: Time of the price in Unix seconds. None if the upstream reports none.
        change_percent, volume, currency: As in `Quote`.
    """

    price: str | Decimal | float | None
    evidence: QuoteEvidence = NO_EVIDENCE
    at: float | None = None
    change_percent: Decimal | None = None
    volume: Decimal | None = None
    currency: str = ""


#: (symbol, Unix seconds) → the answer. An exception instead of an answer fails the whole request.
Script = Callable[[str, float], Answer | ProviderError]


@dataclass
class ScriptedUpstream:
    """A provider that answers as its script says, and records its requests."""

    name: str
    script: Script
    clock: ManualClock
    requested: list[list[str]] = field(default_factory=list)

    def serves(self, asset: Asset) -> bool:
        return True

    async def fetch_quotes(self, assets: Sequence[Asset], deadline: float) -> QuoteBatch:
        self.requested.append([asset.symbol for asset in assets])
        now = self.clock.now()
        quotes: dict[str, Quote] = {}
        missing: dict[str, ProviderError] = {}
        for asset in assets:
            answer = self.script(asset.symbol, now)
            if isinstance(answer, ProviderError):
                raise answer
            if answer.price is None:
                missing[asset.symbol] = NotFoundError(self.name, f"unknown symbol {asset.symbol}")
                continue
            quotes[asset.symbol] = Quote(
                symbol=asset.symbol,
                price=Decimal(str(answer.price)),
                currency=answer.currency or asset.currency,
                upstream_at=answer.at,
                fetched_at=now,
                provider=self.name,
                change_percent=answer.change_percent,
                volume=answer.volume,
                evidence=answer.evidence,
            )
        return QuoteBatch(quotes, missing)


@cache
def _runner() -> asyncio.Runner:
    """Return one event loop for all runs, because thousands of loops and their threads take seconds."""
    return asyncio.Runner()


class RestartingStore(MemoryStore):
    """A store that encodes and decodes disputes as `RedisStore` does."""

    def put_disputes(self, disputes: Mapping[str, Dispute | None]) -> None:
        super().put_disputes(
            {
                symbol: dispute and decode_dispute(symbol, encode_dispute(dispute).encode())
                for symbol, dispute in disputes.items()
            }
        )


class QuoteWorld:
    """One asset, its providers in order, and the store.

    Args:
        asset: The asset.
        scripts: Provider → its script, first choice first.
        now: Unix seconds at the beginning.
    """

    def __init__(self, asset: Asset, scripts: Mapping[str, Script], now: float = 1_800_000_000.0) -> None:
        self.asset = asset
        self.clock = ManualClock(now)
        self.store = RestartingStore()
        self.store.put_assets([asset])
        self.scripts = dict(scripts)
        self.upstreams: dict[str, ScriptedUpstream] = {}
        self.failure = ""

    @property
    def stored(self) -> Quote | None:
        """The stored quote."""
        return self.store.quotes().get(self.asset.symbol)

    def poll(self, minutes: float = 0.0) -> TaskSummary | None:
        """Run the price task after a pause. Return None if it failed; `failure` then has the message."""
        self.clock.advance(minutes * 60)
        self.upstreams = {name: ScriptedUpstream(name, script, self.clock) for name, script in self.scripts.items()}
        order = {self.asset.type: list(self.upstreams.values())}
        fetch = refresh_quotes(TASKS[self.asset.type], None, store=self.store, provider_orders=order, clock=self.clock)
        try:
            self.failure = ""
            return _runner().run(fetch)
        except TaskFailedError as error:
            self.failure = str(error)
            return None

    def poll_until(self, is_right: Callable[[Quote | None], bool], minutes: float, limit: float) -> tuple[int, float]:
        """Run the task every `minutes` until the stored quote is right; return the number of runs and the minutes.

        The first run is immediate. The test fails if it takes more than `limit` minutes.
        """
        start = self.clock.now()
        runs = 1
        self.poll()
        while not is_right(self.stored):
            passed = (self.clock.now() - start) / 60
            assert passed + minutes <= limit, f"{self.stored} after {passed} min; {self.store.disputes()}"
            self.poll(minutes)
            runs += 1
        return runs, (self.clock.now() - start) / 60


def says(price: str | Decimal | float | None, **answer: object) -> Script:
    """Return a script that always says the same price."""
    return lambda _symbol, _now: Answer(price, **answer)  # type: ignore[arg-type]


def is_down(_symbol: str, _now: float) -> ProviderError:
    """Return the error of an upstream that does not answer."""
    return ProviderTimeoutError("upstream", "no answer within 10 s")
