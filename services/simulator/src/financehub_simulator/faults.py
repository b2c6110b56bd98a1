"""The catalogue of upstream failures, as data: tests parametrize over it, the control endpoint sets them.

Kinds, by where a fault acts:
- `answer`: instead of the genuine answer (a status, a page, an error in the body);
- `transport`: on the way (slow, cut);
- `body`: the genuine answer, spoiled;
- `data`: a right-shaped answer with wrong figures, or symbols left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

UPSTREAMS = ("binance", "coingecko", "kraken", "yahoo", "finnhub", "rss", "gdelt")
QUOTES = ("binance", "coingecko", "kraken", "yahoo", "finnhub")
NEWS = ("rss", "gdelt")


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """One way an upstream fails.

    Args:
        name: what the control endpoint calls it.
        kind: `answer`, `transport`, `body` or `data`.
        upstreams: where it happens in reality.
        error: the class of FinanceHub's taxonomy an adapter should report (`rate-limited`); `quarantine` for figures
            that validation has to find, not the adapter.
        summary: what is seen.
        defaults: parameters and their defaults; a fault may be set with others.
        endpoints: prefix of the paths it happens on; "" for all.
    """

    name: str
    kind: str
    upstreams: tuple[str, ...]
    error: str
    summary: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    endpoints: str = ""


def _catalogue(*specs: FaultSpec) -> Mapping[str, FaultSpec]:
    return {spec.name: spec for spec in specs}


#: Every fault by name.
FAULTS = _catalogue(
    FaultSpec(
        "rate-limited",
        "answer",
        UPSTREAMS,
        "rate-limited",
        "429 with Retry-After (Kraken: in the body at 200); retry_after null: no header",
        {"retry_after": 30},
    ),
    FaultSpec("banned", "answer", ("binance",), "rate-limited", "418 with Retry-After", {"retry_after": 120}),
    FaultSpec("forbidden", "answer", ("binance", "finnhub", "rss"), "blocked", "403, an HTML page of the firewall"),
    FaultSpec("country", "answer", ("binance",), "blocked", "451 by country"),
    FaultSpec("access-denied", "answer", ("coingecko",), "blocked", "403 'error code: 1020' of Cloudflare"),
    FaultSpec(
        "invalid-crumb",
        "answer",
        ("yahoo",),
        "auth",
        "401 Invalid Crumb, whatever crumb is sent",
        endpoints="/v7/finance/quote",
    ),
    FaultSpec("unauthorized", "answer", ("coingecko", "finnhub"), "auth", "401, the key is refused"),
    FaultSpec("server-error", "answer", UPSTREAMS, "upstream", "500 with a body of no known shape"),
    FaultSpec("unavailable", "answer", UPSTREAMS, "upstream", "503 with Retry-After", {"retry_after": 5}),
    FaultSpec("body-error", "answer", ("kraken",), "upstream", "200 with EService:Unavailable in the body"),
    FaultSpec("html", "answer", UPSTREAMS, "malformed", "an HTML page at 200"),
    FaultSpec("will-be-right-back", "answer", ("yahoo",), "upstream", "'Will be right back' at 200"),
    FaultSpec("slow", "transport", UPSTREAMS, "timeout", "the answer waits", {"seconds": 30.0}),
    FaultSpec("cut", "transport", UPSTREAMS, "upstream", "the connection ends in the middle of the body"),
    FaultSpec("disconnect", "transport", UPSTREAMS, "upstream", "the connection ends before any answer"),
    FaultSpec("truncated", "body", UPSTREAMS, "malformed", "a complete answer whose document ends half-way"),
    FaultSpec("blank", "body", UPSTREAMS, "malformed", "200 with an empty body"),
    FaultSpec("oversized", "body", UPSTREAMS, "malformed", "a valid document of 10 MB, chunked", {"megabytes": 10}),
    FaultSpec("zip-bomb", "body", UPSTREAMS, "malformed", "a gzip body that grows a thousandfold", {"megabytes": 256}),
    FaultSpec("entity-bomb", "body", ("rss",), "malformed", "XML whose entities expand without end (billion laughs)"),
    FaultSpec("empty", "body", UPSTREAMS, "not-found", "the right shape with nothing in it"),
    FaultSpec("missing", "data", QUOTES, "not-found", "the symbol is unknown or left out, as this upstream does it"),
    FaultSpec("stale", "data", QUOTES, "stale", "prices and times of long ago", {"seconds": 259_200.0}),
    FaultSpec("x100", "data", QUOTES, "quarantine", "prices ×100", {"factor": 100.0}),
    FaultSpec("div100", "data", QUOTES, "quarantine", "prices ÷100", {"factor": 0.01}),
    FaultSpec("wrong-unit", "data", ("yahoo",), "quarantine", "pounds labelled as pence, or pence as pounds"),
    FaultSpec("nan", "data", QUOTES, "quarantine", "prices NaN", {"price": "nan"}),
    FaultSpec("infinity", "data", QUOTES, "quarantine", "prices Infinity", {"price": "inf"}),
    FaultSpec("negative", "data", QUOTES, "quarantine", "prices below zero", {"factor": -1.0}),
    FaultSpec("zero", "data", QUOTES, "quarantine", "prices zero", {"factor": 0.0}),
    FaultSpec("huge", "data", QUOTES, "quarantine", "prices 1e308", {"price": "1e308"}),
    FaultSpec("null", "data", ("coingecko", "yahoo"), "malformed", "the price is null"),
)


def cases(*kinds: str) -> list[tuple[str, str]]:
    """(upstream, fault name) of every combination that exists; all kinds if none is given."""
    return [
        (upstream, spec.name)
        for spec in FAULTS.values()
        if not kinds or spec.kind in kinds
        for upstream in spec.upstreams
    ]
