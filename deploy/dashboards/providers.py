"""Providers: who fails, how, and who answers instead?"""

from grafana_foundation_sdk.models import dashboard

from dashboards.layout import Line, Section, assemble
from dashboards.panels import About, Query, bars, figure, graph, none_is_good, timeline
from dashboards.promql import fleet, increase, per_minute, quantile, quantile_of_range, rate, series
from dashboards.style import BAD, BREAKER, GOOD, WARN, ZERO_IS_BEST
from dashboards.tables import Column, rows

UID = "financehub-providers"
_NO_CALL = "No answer: no provider was asked within the time range"
_NO_BUDGET = "No answer: no scheduler is scraped, or no provider has a budget"
#: Providers are asked every few minutes: rates look back five at least.
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
    """Whether anything is wrong with any provider."""
    opened = figure(
        About(
            title="Open breakers",
            text="Providers that nobody asks at the moment because they failed too often. Bad if it lasts: the list "
            "below says why, and data comes from fallbacks as long as there are any.",
            unit="none",
            no_value="No answer: no breaker has been used yet",
            steps=ZERO_IS_BEST,
        ),
        Query(f"sum({_state('open')})", "open breakers"),
    )
    errors = figure(
        About(
            title="Share of failed requests",
            text="Failed requests of all providers within the time range. A few percent are normal; more than a "
            "twentieth is bad: find the provider in the table.",
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
            text="Highest share of any provider's request budget that is spent. At 100 % its next calls wait or go to "
            "a fallback: lower the rate of its tasks or buy a larger plan.",
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
    """Who fails, and how."""
    table = rows(
        About(
            title="Providers at a glance",
            text="Requests, share of failures and latency of each provider within the time range, the worst on top. "
            "Bad is a high share of errors; the outcomes below tell their kind.",
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
            text="State of each breaker; feeds have one each. Open for longer than 10 minutes is bad: the provider "
            "does not recover. Check its status page and our key and quota; `financehub breakers` closes one by hand.",
            unit="none",
            no_value="No answer: no breaker has been used yet",
            steps=((None, GOOD), (1, WARN), (2, BAD)),
            high=2,
            mappings=(BREAKER,),
        ),
        Query(f"2 * {_state('open')} + {_state('half-open')}", "{{provider}}"),
    )
    share = graph(
        About(
            title="Share of failed requests over time",
            text="Failed requests as a share of all, by provider. 100 % is a provider that is down or refuses us; a "
            "few percent now and then are normal.",
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
            text="Failed requests a minute, by provider and kind. Timeout and upstream: the provider's trouble. "
            "Quota: our budget or key. Breaker-open: not even asked. Any other kind: read the worker's log.",
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
    """How slow providers are and how much of their budget is spent."""
    latency = graph(
        About(
            title="Latency, 95 %",
            text="The time within which 95 % of the requests of each provider were answered. A climb is bad even "
            "without errors: runs take longer and may meet their time limit.",
            unit="s",
            no_value=_NO_CALL,
        ),
        Query(quantile(0.95, _DURATION, "provider"), "{{provider}}"),
        interval=_INTERVAL,
    )
    traffic = graph(
        About(
            title="Requests",
            text="Requests a minute, by provider. A fallback that suddenly gets traffic means that the provider "
            "before it fails.",
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
            text="Units spent of each budget, by provider and window. At 100 % calls wait or go to a fallback.",
            unit="percentunit",
            no_value=_NO_BUDGET,
            steps=_BUDGET_STEPS,
            high=1,
            decimals=0,
        ),
        Query(f"sort_desc({_BUDGET})", "{{provider}} {{window}}"),
    )
    course = graph(
        About(
            title="Fullest window by provider",
            text="The fullest budget window of each provider over time. Peaks at 100 % every few minutes are bad: "
            "spread the tasks or buy a larger plan.",
            unit="percentunit",
            no_value=_NO_BUDGET,
            steps=_BUDGET_STEPS,
            high=1,
        ),
        Query(f"max by (provider) ({_BUDGET})", "{{provider}}"),
    )
    return Section(
        "Is a provider slow or used up?",
        [Line(8, [(12, traffic), (12, latency)]), Line(8, [(12, budgets), (12, course)])],
        collapsed=True,
    )


def answers() -> Section:
    """Whose data is stored."""
    stored = "financehub_data_records_stored_total"

    def share(dataset: str, name: str) -> dashboard.Panel:
        matcher = f'dataset="{dataset}"'
        return graph(
            About(
                title=f"Who answers: {name}",
                text="Share of the stored records by provider. The first provider of the list in the settings should "
                "have nearly all; what others have came by failover. A fallback's band that stays is bad: the first "
                "provider does not deliver.",
                unit="percentunit",
                no_value="No answer: no record was stored within the time range",
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
            text="Records that each provider delivered within the time range, and their share of the dataset. A "
            "provider that is missing here delivered nothing: see the failures above.",
            unit="none",
            no_value="No answer: no record was stored within the time range",
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
    return Section(
        "Who answers instead?",
        [
            Line(
                9,
                [
                    (8, share("quotes:crypto", "crypto quotes")),
                    (8, share("quotes:stock", "stock quotes")),
                    (8, by_dataset),
                ],
            )
        ],
    )


def build() -> dashboard.Dashboard:
    """The dashboard."""
    text = "Which provider fails, how, how slow and how used up it is, and who answers instead."
    return assemble(UID, text, [now(), failures(), answers(), load()], period="6h")
