"""The state of one simulator: market, active faults, request counts and rate limits."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from financehub_simulator.faults import FAULTS, FaultSpec
from financehub_simulator.market import Market
from financehub_simulator.rate_limits import RateLimits


class FaultRefusedError(ValueError):
    """The fault does not exist, does not occur at this upstream, or does not accept a given parameter."""


@dataclass(slots=True)
class ActiveFault:
    """A fault that currently affects requests.

    Args:
        id: Consecutive number.
        spec: Entry of the catalog.
        upstream: Name of the affected upstream.
        symbol: The only affected symbol, in the upstream's or FinanceHub's spelling; None affects all requests.
        endpoint: Prefix of the affected paths; "" affects all paths.
        remaining: Number of requests that the fault still affects; None until the next reset.
        parameters: All parameters of the catalog entry, with defaults filled in.
        hits: Number of requests that the fault has affected.
    """

    id: int
    spec: FaultSpec
    upstream: str
    symbol: str | None
    endpoint: str
    remaining: int | None
    parameters: Mapping[str, Any]
    hits: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the fault as the control endpoint shows it."""
        return {
            "id": self.id,
            "fault": self.spec.name,
            "upstream": self.upstream,
            "symbol": self.symbol,
            "endpoint": self.endpoint,
            "times": self.remaining,
            "hits": self.hits,
            **self.parameters,
        }


@dataclass(slots=True)
class Simulator:
    """The state of one simulator process.

    Args:
        seed: Seed of the market.
        latency: Seconds by which every response is delayed.
        enforce_rate_limits: Whether requests that exceed the upstreams' rate limits are rejected.
        always_open: Whether stock quotes carry the time of the request, as if the market never closed.
        now: Returns the wall-clock time in Unix seconds.
    """

    seed: int = 7
    latency: float = 0.0
    enforce_rate_limits: bool = True
    always_open: bool = False
    now: Callable[[], float] = time.time
    market: Market = field(init=False)
    rate_limits: RateLimits = field(default_factory=RateLimits)
    faults: list[ActiveFault] = field(default_factory=list)
    request_counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    recent_requests: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=5_000))
    _last_fault_id: int = 0
    _initial_latency: float = 0.0

    def __post_init__(self) -> None:
        self.market = Market(self.seed)
        self._initial_latency = self.latency

    def set_fault(
        self,
        name: str,
        upstream: str,
        *,
        symbol: str | None = None,
        endpoint: str | None = None,
        times: int | None = None,
        **parameters: Any,
    ) -> ActiveFault:
        """Activate a fault for the following requests.

        Args:
            name: Name in the catalog of faults.
            upstream: Name of the affected upstream.
            symbol: See `ActiveFault`.
            endpoint: Prefix of the affected paths; None uses the prefix of the catalog entry.
            times: Number of requests to affect; None until the next reset.
            parameters: Parameters that differ from the defaults of the catalog entry.

        Raises:
            FaultRefusedError: The arguments are invalid. The message lists the valid ones.
        """
        spec = FAULTS.get(name)
        if spec is None:
            raise FaultRefusedError(f"fault {name!r} does not exist; choose one of: {', '.join(FAULTS)}")
        if upstream not in spec.upstreams:
            raise FaultRefusedError(
                f"fault {name!r} does not occur at {upstream!r}; choose one of: {', '.join(spec.upstreams)}"
            )
        if unknown := set(parameters) - set(spec.defaults):
            allowed = ", ".join(spec.defaults) or "none"
            raise FaultRefusedError(f"fault {name!r} has no parameter {min(unknown)!r}; allowed parameters: {allowed}")
        if times is not None and (not isinstance(times, int) or times < 1):
            raise FaultRefusedError(f"times={times!r}: must be 1 or more, or null for 'until the next reset'")
        for label, value in (("symbol", symbol), ("endpoint", endpoint)):
            if not isinstance(value, str | None):
                raise FaultRefusedError(f"{label}={value!r}: must be a string, or null for all")
        for label, value in parameters.items():
            if not isinstance(value, int | float | None) and not isinstance(spec.defaults[label], str):
                raise FaultRefusedError(f"{label}={value!r}: must be a number")
        path = spec.endpoints if endpoint is None else endpoint
        self._last_fault_id += 1
        fault = ActiveFault(self._last_fault_id, spec, upstream, symbol, path, times, {**spec.defaults, **parameters})
        self.faults.append(fault)
        return fault

    def reset(self) -> None:
        """Clear faults, request counts and used rate limits and restore the initial latency; keep the market."""
        self.latency = self._initial_latency
        self.faults.clear()
        self.request_counts.clear()
        self.recent_requests.clear()
        self.rate_limits.reset()

    def match_faults(self, upstream: str, path: str, symbols: Iterable[str]) -> list[ActiveFault]:
        """Return the active faults that affect a request and count the request for each of them."""
        requested = {symbol.upper() for symbol in symbols}
        matched = [
            fault
            for fault in self.faults
            if fault.upstream == upstream
            and path.startswith(fault.endpoint)
            and (fault.symbol is None or fault.symbol.upper() in requested)
        ]
        for fault in matched:
            fault.hits += 1
            if fault.remaining is not None:
                fault.remaining -= 1
                if fault.remaining == 0:
                    self.faults.remove(fault)
        return matched
