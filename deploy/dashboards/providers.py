"""The Providers dashboard shows which provider fails, how it fails, and which one delivers instead."""

from grafana_foundation_sdk.models import dashboard

from dashboards.layout import Line, Section, assemble
from dashboards.panels import About, Query, bars, figure, graph, none_is_good, timeline
from dashboards.promql import fleet, increase, per_minute, quantile, quantile_of_range, rate, series
from dashboards.style import ABOVE_ZERO_WARNS, BAD, BREAKER, GOOD, WARN
from dashboards.tables import Column, rows

UID = "financehub-providers"
_NO_CALL = "No data: no provider was called within the time range"
_NO_BUDGET = "No data: no worker is scraped, or no provider with a budget has been called"
#: Providers are called every few minutes, so rates look back at least five minutes.
_INTERVAL = "5m"

_REQUESTS = "financehub_provider_requests_total"
_FAILED = 'outcome!="ok"'
_DURATION = "financehub_provider_request_duration_seconds"
_ERROR_STEPS = ((None, GOOD), (0.05, WARN), (0.5, BAD))
_BUDGET = (
    f"{fleet('financehub_provider_budget_used_units', 'provider, window')}"
    f" / {fleet('financehub_provider_budget_limit_units', 'provider, window')}"
)
_BUDGET_STEPS = ((None, GOOD), (0.8, WARN), (1, BAD))


def _state(name: str) -> str:
    found = series("financehub_circuit_breaker_state", 'component="scheduler"', f'state="{name}"')
    return f"max by (provider) ({found})"


def now() -> Section:
    """Key numbers that show whether any provider has a problem."""
    opened = figure(
        About(
            title="Open breakers",
            text="Providers that FinanceHub does not call at the moment, because they failed too often. If this "
            "lasts, it is bad. The sections below show why. Meanwhile, other providers deliver the data if there are "
            "any.",
            unit="none",
            no_value="No data: no breaker has been used yet",
            steps=ABOVE_ZERO_WARNS,
        ),
        Query(f"sum({_state('open')})", "open breakers"),
    )
    errors = figure(
        About(
            title="Share of failed requests",
            text="Failed requests of all providers within the time range. A few percent are normal. More than 5 % is "
            "bad: find the provider in the table.",
            unit="percentunit",
            no_value=_NO_CALL,
            steps=_ERROR_STEPS,
            high=1,
            decimals=1,
        ),
        Query(
            f"(sum(increase({series(_REQUESTS, _FAILED)}[$__range])) or vector(0)) / "
            f"sum(increase({series(_REQUESTS)}[$__range]))",
            "failed",
        ),
    )
    budget = figure(
        About(
            title="Fullest budget",
            text="The highest share of any provider's request budget that is spent. At 100 % further calls wait or go "
            "to the next provider. Run its tasks less often, or buy a larger plan.",
            unit="percentunit",
            no_value=_NO_BUDGET,
            steps=_BUDGET_STEPS,
            high=1,
            decimals=0,
        ),
        Query(f"max({_BUDGET})", "fullest budget"),
    )
    return Section(None, [Line(4, [(8, opened), (8, errors), (8, budget)])])


def failures() -> Section:
    """Each provider's failures."""
    table = rows(
        About(
            title="Providers at a glance",
            text="Requests, share of failures and latency of each provider within the time range. The worst provider "
            "is on top. A high share of failures is bad. The graph of outcomes below shows their kind.",
            unit="none",
            no_value=_NO_CALL,
        ),
        {"provider": "Provider"},
        [
            Column(title="Requests", expr=increase(_REQUESTS, "provider"), decimals=0),
            Column(
                title="Failed",
                expr=f"({increase(_REQUESTS, 'provider', _FAILED)} or 0 * {increase(_REQUESTS, 'provider')})"
                f" / ({increase(_REQUESTS, 'provider')} > 0)",
                unit="percentunit",
                steps=_ERROR_STEPS,
                gauge=1,
                decimals=1,
            ),
            *(
                Column(title=name, expr=quantile_of_range(rank, _DURATION, "provider"), unit="s")
                for rank, name in ((0.5, "50 %"), (0.95, "95 %"), (0.99, "99 %"))
            ),
        ],
        sort="Failed",
    )
    breakers = timeline(
        About(
            title="Circuit breakers",
            text="The state of each breaker. Every feed has its own breaker. A breaker that stays open for over 10 "
            "minutes is bad: the provider does not recover. Check its status page, then your API key and quota. "
            "`financehub breakers close` permits calls again.",
            unit="none",
            no_value="No data: no breaker has been used yet",
            steps=((None, GOOD), (1, WARN), (2, BAD)),
            high=2,
            mappings=(BREAKER,),
        ),
        Query(f"2 * {_state('open')} + {_state('half-open')}", "{{provider}}"),
    )
    share = graph(
        About(
            title="Share of failed requests over time",
            text="Failed requests as a share of all requests, by provider. A few percent from time to time are "
            "normal. A line at 100 % is bad: the provider is down or refuses FinanceHub.",
            unit="percentunit",
            no_value=_NO_CALL,
            steps=_ERROR_STEPS,
            high=1,
        ),
        Query(
            f"({rate(_REQUESTS, 'provider', _FAILED)} or 0 * {rate(_REQUESTS, 'provider')})"
            f" / ({rate(_REQUESTS, 'provider')} > 0)",
            "{{provider}}",
        ),
        interval=_INTERVAL,
    )
    outcomes = graph(
        About(
            title="Failed requests by outcome",
            text="Failed requests per minute, by provider and kind. Timeout and upstream mean that the provider has "
            "problems. Quota means that the budget or the quota of the API key is used up. Breaker-open means that "
            "the breaker rejected the call. For any other kind, read the worker's log.",
            unit="cpm",
            no_value=none_is_good("no request failed"),
        ),
        Query(f"{per_minute(_REQUESTS, 'provider, outcome', _FAILED)} > 0", "{{provider}}: {{outcome}}"),
        bar=True,
        interval=_INTERVAL,
    )
    return Section(
        "Which provider fails, and why?",
        [Line(9, [(12, table), (12, breakers)]), Line(8, [(12, share), (12, outcomes)])],
    )


def load() -> Section:
    """Each provider's latency and the spent fraction of its budget."""
    latency = graph(
        About(
            title="Latency, 95th percentile",
            text="The time within which 95 % of each provider's requests ended. A rise is bad even without errors, "
            "because runs take longer and may exceed their time limit.",
            unit="s",
            no_value=_NO_CALL,
        ),
        Query(quantile(0.95, _DURATION, "provider"), "{{provider}}"),
        interval=_INTERVAL,
    )
    traffic = graph(
        About(
            title="Requests",
            text="Requests per minute, by provider. If a later provider in the order suddenly receives traffic, the "
            "provider before it fails. See its failures above.",
            unit="cpm",
            no_value=_NO_CALL,
        ),
        Query(per_minute(_REQUESTS, "provider"), "{{provider}}"),
        stacked=True,
        interval=_INTERVAL,
    )
    budgets = bars(
        About(
            title="Budget spent",
            text="Share of each budget that is spent, by provider and window. The fullest is on top. At 100 % calls "
            "wait or go to a fallback: run its tasks less often, or buy a larger plan.",
            unit="percentunit",
            no_value=_NO_BUDGET,
            steps=_BUDGET_STEPS,
            high=1,
            decimals=0,
        ),
        Query(f"sort_desc({_BUDGET})", "{{provider}} {{window}}"),
    )
    history = graph(
        About(
            title="Fullest window by provider",
            text="The fullest budget window of each provider over time. Repeated peaks at 100 % are bad: spread the "
            "tasks over time, or buy a larger plan.",
            unit="percentunit",
            no_value=_NO_BUDGET,
            steps=_BUDGET_STEPS,
            high=1,
        ),
        Query(f"max by (provider) ({_BUDGET})", "{{provider}}"),
    )
    return Section(
        "Is a provider slow, or is its budget used up?",
        [Line(8, [(12, traffic), (12, latency)]), Line(8, [(12, budgets), (12, history)])],
        collapsed=True,
    )


def deliveries() -> Section:
    """The stored records by the provider that delivered them."""
    stored = "financehub_data_records_stored_total"

    def share(dataset: str, name: str) -> dashboard.Panel:
        matcher = f'dataset="{dataset}"'
        return graph(
            About(
                title=f"Provider: {name}",
                text="The share of the stored records by provider. The first provider in the order of the settings "
                "should have delivered nearly all of them. The others delivered after a failover. If the band of "
                "another provider stays, the first provider does not deliver. See its failures above.",
                unit="percentunit",
                no_value="No data: no record was stored within the time range",
                high=1,
            ),
            Query(
                f"{rate(stored, 'provider', matcher)} / on () group_left () "
                f"(sum(rate({series(stored, matcher)}[$__rate_interval])) > 0)",
                "{{provider}}",
            ),
            stacked=True,
            interval=_INTERVAL,
        )

    by_dataset = rows(
        About(
            title="Records stored",
            text="Records that each provider delivered within the time range, and its share of the dataset. A provider "
            "that is missing here delivered nothing: see its failures above.",
            unit="none",
            no_value="No data: no record was stored within the time range",
        ),
        {"dataset": "Dataset", "provider": "Provider"},
        [
            Column(title="Records", expr=increase(stored, "dataset, provider"), decimals=0),
            Column(
                title="Share",
                expr=f"{increase(stored, 'dataset, provider')} / on (dataset) group_left () "
                f"({increase(stored, 'dataset')} > 0)",
                unit="percentunit",
                gauge=1,
                decimals=0,
            ),
        ],
        sort="Dataset",
        descending=False,
    )
    dropped = bars(
        About(
            title="News items that were not stored",
            text="News items that were read but not stored within the time range, by reason. Most have a known link, "
            "because feeds list the same articles for days. If the reason `title` is unusually frequent, set the log "
            "level to `debug`: the event `news_dropped` then gives an example of each reason.",
            unit="none",
            no_value="No data: no known or old news item was read within the time range",
            decimals=0,
        ),
        Query(f"sort_desc({increase('financehub_data_records_dropped_total', 'reason')})", "{{reason}}"),
    )
    return Section(
        "Which provider delivers instead?",
        [
            Line(
                9,
                [
                    (8, share("quotes:crypto", "crypto quotes")),
                    (8, share("quotes:stock", "stock quotes")),
                    (8, by_dataset),
                ],
            ),
            Line(6, [(24, dropped)]),
        ],
    )


def build() -> dashboard.Dashboard:
    """Build the dashboard."""
    text = (
        "Which provider fails and how, how slow it is, how much of its budget is spent, and which one delivers instead."
    )
    return assemble(UID, text, [now(), failures(), deliveries(), load()], period="6h")
