"""The simulator's state: market, active faults, request counts, rate limits; and the call that handlers are given."""

import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.requests import Request

from financehub_simulator.faults import FAULTS, FaultSpec
from financehub_simulator.limits import Limits
from financehub_simulator.market import Bar, Market


class BadQueryError(ValueError):
    """A query parameter that no upstream understands."""


class FaultRefusedError(ValueError):
    """A fault that does not exist, does not happen at this upstream, or has unknown parameters."""


@dataclass(slots=True)
class Fault:
    """A fault that is active.

    Args:
        symbol: only requests that name this symbol, in the upstream's own spelling or ours; None: all.
        endpoint: only paths that begin with this; "": all.
        left: how many more requests it meets; None: until reset.
        parameters: of the catalogue, complete.
    """

    id: int
    spec: FaultSpec
    upstream: str
    symbol: str | None
    endpoint: str
    left: int | None
    parameters: Mapping[str, Any]
    met: int = 0

    def as_dict(self) -> dict[str, Any]:
        """As the control endpoint shows it."""
        return {
            "id": self.id,
            "fault": self.spec.name,
            "upstream": self.upstream,
            "symbol": self.symbol,
            "endpoint": self.endpoint,
            "times": self.left,
            "met": self.met,
            **self.parameters,
        }


@dataclass(slots=True)
class Simulator:
    """Everything one simulator process knows.

    Args:
        seed: of the market.
        latency: seconds every answer waits.
        limited: whether the upstreams' own rate limits are enforced.
        always_open: stock quotes carry the time of the request, as if the market never closed.
        now: wall clock, Unix seconds.
    """

    seed: int = 7
    latency: float = 0.0
    limited: bool = True
    always_open: bool = False
    now: Callable[[], float] = time.time
    market: Market = field(init=False)
    limits: Limits = field(default_factory=Limits)
    faults: list[Fault] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    recent: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=5_000))
    _last_id: int = 0
    _first_latency: float = 0.0

    def __post_init__(self) -> None:
        self.market = Market(self.seed)
        self._first_latency = self.latency

    def set_fault(
        self,
        name: str,
        upstream: str,
        *,
        symbol: str | None = None,
        endpoint: str | None = None,
        times: int | None = None,
        **parameters: Any,
    ) -> Fault:
        """Make a fault happen from now on.

        Raises:
            FaultRefusedError: saying what exists instead.
        """
        spec = FAULTS.get(name)
        if spec is None:
            raise FaultRefusedError(f"fault {name!r} does not exist; there are: {', '.join(FAULTS)}")
        if upstream not in spec.upstreams:
            raise FaultRefusedError(
                f"fault {name!r} does not happen at {upstream!r}; it does at: {', '.join(spec.upstreams)}"
            )
        if unknown := set(parameters) - set(spec.defaults):
            allowed = ", ".join(spec.defaults) or "none"
            raise FaultRefusedError(f"fault {name!r} takes no parameter {min(unknown)!r}; it takes: {allowed}")
        if times is not None and (not isinstance(times, int) or times < 1):
            raise FaultRefusedError(f"times={times!r}: must be 1 or more, or null for 'until reset'")
        for label, value in (("symbol", symbol), ("endpoint", endpoint)):
            if not isinstance(value, str | None):
                raise FaultRefusedError(f"{label}={value!r}: must be text, or null for all")
        for label, value in parameters.items():
            if not isinstance(value, int | float | None) and not isinstance(spec.defaults[label], str):
                raise FaultRefusedError(f"{label}={value!r}: must be a number")
        path = spec.endpoints if endpoint is None else endpoint
        self._last_id += 1
        fault = Fault(self._last_id, spec, upstream, symbol, path, times, {**spec.defaults, **parameters})
        self.faults.append(fault)
        return fault

    def reset(self) -> None:
        """Forget faults, counts and used-up limits, take back the latency; the market stays."""
        self.latency = self._first_latency
        self.faults.clear()
        self.counts.clear()
        self.recent.clear()
        self.limits.clear()

    def matching(self, upstream: str, path: str, symbols: Iterable[str]) -> list[Fault]:
        """The active faults that a request meets; those with a limited number are used up by one."""
        named = {symbol.upper() for symbol in symbols}
        found = [
            fault
            for fault in self.faults
            if fault.upstream == upstream
            and path.startswith(fault.endpoint)
            and (fault.symbol is None or fault.symbol.upper() in named)
        ]
        for fault in found:
            fault.met += 1
            if fault.left is not None:
                fault.left -= 1
                if fault.left == 0:
                    self.faults.remove(fault)
        return found


@dataclass(slots=True)
class Call:
    """One request to one upstream, with the faults it meets.

    Args:
        names: symbol in the upstream's spelling → canonical symbol (None: no symbol of theirs), of all that was asked.
    """

    sim: Simulator
    request: Request
    names: Mapping[str, str | None]
    faults: list[Fault]
    now: float

    def query(self, name: str, default: str = "") -> str:
        """A query parameter."""
        return self.request.query_params.get(name, default)

    def number(self, name: str, default: int) -> int:
        """A query parameter that must be a whole number.

        Raises:
            BadQueryError: it is something else.
        """
        text = self.query(name, str(default))
        if not re.fullmatch(r"-?[0-9]{1,15}", text):
            raise BadQueryError(f"parameter {name!r} must be a whole number")
        return int(text)

    def today(self, symbol: str) -> Bar | None:
        """The running day of what the upstream calls `symbol`; None if it does not know it."""
        return self._bar(symbol, self.sim.market.today)

    def window(self, symbol: str) -> Bar | None:
        """The last 24 hours of what the upstream calls `symbol`; None if it does not know it."""
        return self._bar(symbol, self.sim.market.window)

    def _bar(self, symbol: str, read: Callable[[str, float], Bar]) -> Bar | None:
        canonical = self.names.get(symbol)
        if canonical is None:
            return None
        data = self.data_faults(symbol)
        now = self.now
        for fault in data:
            if fault.spec.name == "missing":
                return None
            if fault.spec.name == "stale":
                now -= fault.parameters["seconds"]
        try:
            bar = read(canonical, now)
        except KeyError:
            return None
        return distort(bar, data) if data else bar

    def history(self, symbol: str, first: int, last: int) -> list[Bar]:
        """Bars of the trading days `first` to `last` (indices); wrong figures hit one day in ten."""
        canonical = self.names.get(symbol)
        if canonical is None:
            return []
        data = self.data_faults(symbol)
        names = {fault.spec.name for fault in data}
        if "missing" in names:
            return []
        late = sum(fault.parameters["seconds"] for fault in data if fault.spec.name == "stale")
        bars = self.sim.market.history(canonical, first, last, self.now - late)
        return [distort(bar, data) if bar.day % 10 == 3 else bar for bar in bars] if data else bars

    def moment(self, symbol: str, bar: Bar) -> float:
        """When the price was made, Unix seconds: now if the market is always open."""
        stale = any(fault.spec.name == "stale" for fault in self.data_faults(symbol))
        return self.now if self.sim.always_open and not stale else bar.end

    def is_null(self, symbol: str) -> bool:
        """Whether the price of a symbol is to be null."""
        return any(fault.spec.name == "null" for fault in self.data_faults(symbol))

    def data_faults(self, symbol: str) -> list[Fault]:
        """The data faults that hit a symbol."""
        either = {symbol.upper(), (self.names.get(symbol) or symbol).upper()}
        return [
            fault
            for fault in self.faults
            if fault.spec.kind == "data" and (fault.symbol is None or fault.symbol.upper() in either)
        ]


def scaled(bar: Bar, factor: float, previous: float = 1.0) -> Bar:
    """A bar with its prices multiplied by `factor`, and the previous close by `previous`."""
    return Bar(
        bar.day,
        bar.time,
        bar.end,
        bar.open * factor,
        bar.high * factor,
        bar.low * factor,
        bar.close * factor,
        bar.volume,
        bar.previous_close * previous,
    )


def distort(bar: Bar, faults: Iterable[Fault]) -> Bar:
    """A bar with the wrong figures its faults ask for."""
    for fault in faults:
        factor = fault.parameters.get("factor", 1.0)
        if "price" in fault.parameters:
            price = float(fault.parameters["price"])
            bar = replace(bar, open=price, high=price, low=price, close=price)
        elif factor != 1.0:
            bar = scaled(bar, factor)
    return bar
