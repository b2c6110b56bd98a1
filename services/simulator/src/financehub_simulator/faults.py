"""The catalog of upstream faults. Tests are parametrized over it, and the control endpoint activates its entries.

A fault's kind determines where it takes effect:
- `response`: It replaces the genuine response with an error status, an HTML page or an error in the body.
- `transport`: It delays the response or closes the connection.
- `body`: It damages the body of the genuine response.
- `data`: It keeps the shape of the response, and changes prices or leaves out symbols.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from financehub_simulator.upstreams.table import UPSTREAM_ROWS

UPSTREAM_NAMES = tuple(row.name for row in UPSTREAM_ROWS)
QUOTE_UPSTREAMS = tuple(row.name for row in UPSTREAM_ROWS if row.serves_quotes)


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """One way in which an upstream fails.

    Args:
        name: Its name in the control endpoint.
        kind: `response`, `transport`, `body` or `data`.
        upstreams: The upstreams at which it occurs in reality.
        error: Kind of the `ProviderError` that a provider should raise, such as `rate-limited`. It is `quarantine` for
            wrong data that validation detects, not the provider.
        summary: Effect that a client observes.
        defaults: Parameters with their defaults. A fault can be set with other values.
        endpoints: Prefix of the affected paths; "" affects all paths.
    """

    name: str
    kind: str
    upstreams: tuple[str, ...]
    error: str
    summary: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    endpoints: str = ""


def _catalog(*specs: FaultSpec) -> Mapping[str, FaultSpec]:
    return {spec.name: spec for spec in specs}


#: All faults by name.
FAULTS = _catalog(
    FaultSpec(
        "rate-limited",
        "response",
        UPSTREAM_NAMES,
        "rate-limited",
        "429 with Retry-After (Kraken: in the body at 200); no header if retry_after is null",
        {"retry_after": 30},
    ),
    FaultSpec("banned", "response", ("binance",), "rate-limited", "418 with Retry-After", {"retry_after": 120}),
    FaultSpec("forbidden", "response", ("binance", "finnhub", "rss"), "blocked", "403 with an HTML page of a firewall"),
    FaultSpec("country", "response", ("binance",), "blocked", "451, the country is blocked"),
    FaultSpec("access-denied", "response", ("coingecko",), "blocked", "403 with 'error code: 1020' from Cloudflare"),
    FaultSpec(
        "invalid-crumb",
        "response",
        ("yahoo",),
        "auth",
        "401 Invalid Crumb for every crumb",
        endpoints="/v7/finance/quote",
    ),
    FaultSpec("unauthorized", "response", ("coingecko", "finnhub"), "auth", "401, the API key is rejected"),
    FaultSpec("server-error", "response", UPSTREAM_NAMES, "upstream", "500 with a plain-text body"),
    FaultSpec("unavailable", "response", UPSTREAM_NAMES, "upstream", "503 with Retry-After", {"retry_after": 5}),
    FaultSpec("body-error", "response", ("kraken",), "upstream", "200 with EService:Unavailable in the body"),
    FaultSpec(
        "no-access", "response", ("finnhub",), "not-found", "403, the plan of the API key does not include the symbol"
    ),
    FaultSpec("html", "response", UPSTREAM_NAMES, "malformed", "200 with an HTML page"),
    FaultSpec("will-be-right-back", "response", ("yahoo",), "upstream", "200 with the page 'Will be right back'"),
    FaultSpec("slow", "transport", UPSTREAM_NAMES, "timeout", "the response is delayed", {"seconds": 30.0}),
    FaultSpec("cut", "transport", UPSTREAM_NAMES, "upstream", "the connection is closed in the middle of the body"),
    FaultSpec("disconnect", "transport", UPSTREAM_NAMES, "upstream", "the connection is closed before any response"),
    FaultSpec("truncated", "body", UPSTREAM_NAMES, "malformed", "a complete response whose document ends half-way"),
    FaultSpec("blank", "body", UPSTREAM_NAMES, "malformed", "200 with an empty body"),
    FaultSpec(
        "oversized", "body", UPSTREAM_NAMES, "malformed", "a valid document of 10 MB, chunked", {"megabytes": 10}
    ),
    FaultSpec(
        "zip-bomb",
        "body",
        UPSTREAM_NAMES,
        "malformed",
        "a gzip body that unpacks to a thousand times its size",
        {"megabytes": 256},
    ),
    FaultSpec("entity-bomb", "body", ("rss",), "malformed", "XML whose entities expand exponentially (billion laughs)"),
    FaultSpec("bad-escape", "body", ("gdelt",), "quarantine", "one title has a backslash that JSON does not allow"),
    FaultSpec("empty", "body", UPSTREAM_NAMES, "not-found", "the right shape without content"),
    FaultSpec(
        "missing",
        "data",
        QUOTE_UPSTREAMS,
        "not-found",
        "the symbol is unknown or left out, as this upstream does it",
    ),
    FaultSpec("stale", "data", QUOTE_UPSTREAMS, "stale", "prices and times from the past", {"seconds": 259_200.0}),
    FaultSpec(
        "no-trade",
        "data",
        ("binance", "kraken"),
        "stale",
        "no trade in 24 h, no bid and no ask, like a delisted pair",
    ),
    FaultSpec("x100", "data", QUOTE_UPSTREAMS, "quarantine", "prices ×100", {"factor": 100.0}),
    FaultSpec("div100", "data", QUOTE_UPSTREAMS, "quarantine", "prices ÷100", {"factor": 0.01}),
    FaultSpec("wrong-unit", "data", ("yahoo",), "quarantine", "pounds labeled as pence, or pence as pounds"),
    FaultSpec("nan", "data", QUOTE_UPSTREAMS, "quarantine", "prices are NaN", {"price": "nan"}),
    FaultSpec("infinity", "data", QUOTE_UPSTREAMS, "quarantine", "prices are Infinity", {"price": "inf"}),
    FaultSpec("negative", "data", QUOTE_UPSTREAMS, "quarantine", "prices are negative", {"factor": -1.0}),
    FaultSpec("zero", "data", QUOTE_UPSTREAMS, "quarantine", "prices are zero", {"factor": 0.0}),
    FaultSpec("huge", "data", QUOTE_UPSTREAMS, "quarantine", "prices are 1e308", {"price": "1e308"}),
    FaultSpec("null", "data", ("coingecko", "yahoo"), "malformed", "the price is null"),
)


def fault_cases(*kinds: str) -> list[tuple[str, str]]:
    """Return every pair of upstream and fault name. If kinds are given, only faults of these kinds are included."""
    return [
        (upstream, spec.name)
        for spec in FAULTS.values()
        if not kinds or spec.kind in kinds
        for upstream in spec.upstreams
    ]
