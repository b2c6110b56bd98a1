"""One request to one upstream, with the prices that its response reports after the active faults are applied."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from starlette.requests import Request

from financehub_simulator.market import Bar
from financehub_simulator.state import ActiveFault, Simulator


class BadQueryError(ValueError):
    """A query parameter has a value that no upstream accepts."""


@dataclass(slots=True)
class Call:
    """One request to one upstream, with the faults that affect it.

    Args:
        simulator: The state of the simulator.
        request: The HTTP request.
        symbols: Requested symbol in the upstream's spelling → canonical symbol, or None if the upstream does not know
        the symbol.
        faults: The active faults that affect the request.
        now: Time of the request in Unix seconds.
    """

    simulator: Simulator
    request: Request
    symbols: Mapping[str, str | None]
    faults: list[ActiveFault]
    now: float

    def parameter(self, name: str, default: str = "") -> str:
        """Return a query parameter."""
        return self.request.query_params.get(name, default)

    def integer_parameter(self, name: str, default: int) -> int:
        """Return a query parameter that must be an integer.

        Raises:
            BadQueryError: The parameter is not an integer.
        """
        text = self.parameter(name, str(default))
        if not re.fullmatch(r"-?[0-9]{1,15}", text):
            raise BadQueryError(f"parameter {name!r} must be a whole number")
        return int(text)

    def current_day(self, symbol: str) -> Bar | None:
        """Return the bar of the current trading day, or None if the upstream does not know `symbol`."""
        return self._bar(symbol, self.simulator.market.current_day)

    def last_24_hours(self, symbol: str) -> Bar | None:
        """Return the last 24 hours as one bar, or None if the upstream does not know `symbol`."""
        return self._bar(symbol, self.simulator.market.last_24_hours)

    def _bar(self, symbol: str, read: Callable[[str, float], Bar]) -> Bar | None:
        canonical = self.symbols.get(symbol)
        if canonical is None:
            return None
        faults = self.data_faults(symbol)
        now = self.now
        for fault in faults:
            if fault.spec.name == "missing":
                return None
            if fault.spec.name == "stale":
                now -= fault.parameters["seconds"]
        try:
            bar = read(canonical, now)
        except KeyError:
            return None
        return apply_data_faults(bar, faults) if faults else bar

    def history(self, symbol: str, first: int, last: int) -> list[Bar]:
        """Return the bars of the trading days with indices `first` to `last`. Data faults affect one day in ten."""
        canonical = self.symbols.get(symbol)
        if canonical is None:
            return []
        faults = self.data_faults(symbol)
        fault_names = {fault.spec.name for fault in faults}
        if "missing" in fault_names:
            return []
        age = sum(fault.parameters["seconds"] for fault in faults if fault.spec.name == "stale")
        bars = self.simulator.market.history(canonical, first, last, self.now - age)
        return [apply_data_faults(bar, faults) if bar.day % 10 == 3 else bar for bar in bars] if faults else bars

    def price_time(self, symbol: str, bar: Bar) -> float:
        """Return the price's timestamp in Unix seconds, which is `now` if the market is always open."""
        stale = any(fault.spec.name == "stale" for fault in self.data_faults(symbol))
        return self.now if self.simulator.always_open and not stale else bar.end

    def price_is_null(self, symbol: str) -> bool:
        """Whether a fault replaces the price of the symbol with null."""
        return any(fault.spec.name == "null" for fault in self.data_faults(symbol))

    def has_no_trade(self, symbol: str) -> bool:
        """Whether a fault removes the trades and offers of the symbol but keeps its last price."""
        return any(fault.spec.name == "no-trade" for fault in self.data_faults(symbol))

    def data_faults(self, symbol: str) -> list[ActiveFault]:
        """Return the data faults that affect a symbol."""
        spellings = {symbol.upper(), (self.symbols.get(symbol) or symbol).upper()}
        return [
            fault
            for fault in self.faults
            if fault.spec.kind == "data" and (fault.symbol is None or fault.symbol.upper() in spellings)
        ]


def scale_prices(bar: Bar, factor: float, previous_close_factor: float = 1.0) -> Bar:
    """Return the bar with its prices multiplied by `factor` and its previous close by `previous_close_factor`."""
    return Bar(
        bar.day,
        bar.time,
        bar.end,
        bar.open * factor,
        bar.high * factor,
        bar.low * factor,
        bar.close * factor,
        bar.volume,
        bar.previous_close * previous_close_factor,
    )


def apply_data_faults(bar: Bar, faults: Iterable[ActiveFault]) -> Bar:
    """Return the bar with the wrong prices that its faults define."""
    for fault in faults:
        factor = fault.parameters.get("factor", 1.0)
        if "price" in fault.parameters:
            price = float(fault.parameters["price"])
            bar = replace(bar, open=price, high=price, low=price, close=price)
        elif factor != 1.0:
            bar = scale_prices(bar, factor)
    return bar
