"""The Overview dashboard shows whether everything works and, if not, where to look next."""

from grafana_foundation_sdk.models import dashboard

from dashboards import links
from dashboards.layout import Line, Section, assemble
from dashboards.naming import ERROR_BUDGET
from dashboards.panels import About, Query, bars, figure, graph, none_is_good, timeline
from dashboards.promql import fleet, increase, per_minute, series
from dashboards.style import ABOVE_ZERO_IS_BAD, ABOVE_ZERO_WARNS, BAD, BREAKER, GOOD, SEVERITY, STALE, UP, WARN
from dashboards.tables import Column, rows

UID = "financehub-overview"
_NO_SCHEDULER = "No data: no scheduler is scraped, or it gets no answer from Redis"
_NO_RULES = "No data: load FinanceHub's rule files into Prometheus"

#: Fraction of a limit that is used up; above 1, the limit is exceeded.
OF_LIMIT = ((None, GOOD), (0.8, WARN), (1, BAD))

_AGE = f"time() - {fleet('financehub_data_last_success_timestamp_seconds', 'dataset')}"
_LIMIT = fleet("financehub_data_freshness_limit_seconds", "dataset")
_OF_LIMIT = f"({_AGE}) / {_LIMIT}"
_WAIT = fleet("financehub_queue_oldest_message_age_seconds", "queue")
_TARGET = fleet("financehub_queue_wait_target_seconds", "queue")
_BUDGET_LEFT = f"1 - {fleet('release:financehub_slo_errors:ratio_rate30d', 'slo')} / {ERROR_BUDGET}"
_BURN_RATE = f"{fleet('release:financehub_slo_errors:ratio_rate1h', 'slo')} / {ERROR_BUDGET}"
_SUBJECT_LABELS = (
    '"about", " ", "component", "queue", "dataset", "provider", "scheduledtask", "actor", "server", "kind", "slo"'
)


def _firing(severity: str) -> str:
    """Return the number of firing alerts, or no result if the rules are not loaded."""
    alerts = series("ALERTS", 'alertstate="firing"', f'severity="{severity}"')
    return f"count({alerts}) or 0 * count({series('release:financehub_slo_errors:ratio_rate5m')})"


def summary() -> Section:
    """Six key numbers that are green if everything works, next to the list of active alerts."""
    stale = figure(
        About(
            title="Stale datasets",
            text="Datasets that are past their freshness limit or were never fetched. Anything above 0 is bad, "
            "because users see old data. Find the dataset in the table below, then its provider on the Providers "
            "dashboard.",
            unit="none",
            no_value=_NO_SCHEDULER,
            steps=ABOVE_ZERO_IS_BAD,
        ),
        Query(f"sum({fleet('financehub_data_stale', 'dataset')})", "stale datasets"),
    )
    critical = figure(
        About(
            title="Critical alerts",
            text="Firing alerts that page an operator. Anything above 0 means that users are affected or soon will be. "
            "Follow the runbook of each alert in the list to the right.",
            unit="none",
            no_value=_NO_RULES,
            steps=ABOVE_ZERO_IS_BAD,
        ),
        Query(_firing("critical"), "critical alerts"),
    )
    warning = figure(
        About(
            title="Warnings",
            text="Firing alerts that open a ticket. They can wait until the next working day, but handle each of them "
            "this week. The list to the right links to the runbooks.",
            unit="none",
            no_value=_NO_RULES,
            steps=ABOVE_ZERO_WARNS,
        ),
        Query(_firing("warning"), "warnings"),
    )
    workers = f"{fleet('financehub_queue_workers', 'queue')} < bool {fleet('financehub_queue_workers_min', 'queue')}"
    tiers = figure(
        About(
            title="Tiers short of workers",
            text="Tiers with fewer live workers than they should always have. Anything above 0 is bad, because their "
            "tasks do not run. Look at the pods of the tier.",
            unit="none",
            no_value=_NO_SCHEDULER,
            steps=ABOVE_ZERO_IS_BAD,
        ),
        Query(f"sum({workers})", "tiers short of workers"),
    )
    dead = figure(
        About(
            title="New dead letters",
            text="Messages that were dead-lettered in the last 30 minutes. Anything above 0 is bad, because these "
            "runs failed permanently. Read the errors with `financehub dead-letters list`. The table of tiers below "
            "shows the total number of dead letters.",
            unit="none",
            no_value="No data: no scheduler is scraped, or FinanceHub's rule files are not loaded",
            steps=ABOVE_ZERO_WARNS,
            decimals=0,
        ),
        Query(f"sum({fleet('release:financehub_dead_letters:rise30m', 'queue')})", "new dead letters"),
    )
    redis = figure(
        About(
            title="Redis",
            text="Whether Redis answers every process. Down is bad, because without Redis nothing is enqueued, run or "
            "stored. The Redis dashboard shows which processes cannot reach it.",
            unit="none",
            no_value="No data: no FinanceHub process is scraped",
            steps=((None, BAD), (1, GOOD)),
            high=1,
            mappings=(UP,),
        ),
        Query(f"min by (server) ({series('financehub_redis_up')})", "{{server}}"),
    )
    return Section(None, [Line(8, [(4, [stale, tiers]), (4, [critical, dead]), (4, [warning, redis]), (12, alerts())])])


def alerts() -> dashboard.Panel:
    """The list of active alerts."""
    firing = series("ALERTS", 'alertstate="firing"')
    return rows(
        About(
            title="Active alerts",
            text="Firing alerts of this release, critical ones on top. Click the name of an alert to open its runbook, "
            "which explains what it means and what to do.",
            unit="none",
            no_value=none_is_good("no alert is firing"),
        ),
        {"severity": "Severity", "alertname": "Alert", "about": "About"},
        [
            Column(
                title="Firing",
                expr=f"max by (severity, alertname, about) (label_join({firing}, {_SUBJECT_LABELS}))",
                hidden=True,
            )
        ],
        sort="Severity",
        descending=False,
        links={"Alert": links.to_runbook("${__value.raw}")},
        mappings={"Severity": SEVERITY},
    )


def freshness() -> Section:
    """The age of the data that users see."""
    quotes = series("financehub_data_oldest_quote_age_seconds")
    # this series is by asset type; all others are by dataset
    oldest = f'label_replace({quotes}, "dataset", "quotes:$1", "type", "(.+)")'
    table = rows(
        About(
            title="Freshness by dataset",
            text="The time since a provider last delivered each dataset, and the age at which the dataset is stale. "
            "The most urgent dataset is on top. An age above its limit is bad: see Providers for a provider that "
            "fails, and Schedules for a task that does not run. Stale assets counts the assets without a fresh value, "
            "which the age of the dataset can hide.",
            unit="none",
            no_value=_NO_SCHEDULER,
        ),
        {"dataset": "Dataset"},
        [
            Column(title="State", expr=fleet("financehub_data_stale", "dataset"), mapping=STALE),
            Column(title="Age", expr=_AGE, unit="s", decimals=0),
            Column(title="Limit", expr=_LIMIT, unit="s", decimals=0),
            Column(title="Age ÷ limit", expr=_OF_LIMIT, unit="percentunit", steps=OF_LIMIT, gauge=1.5, decimals=0),
            Column(
                title="Stale assets",
                expr=fleet("financehub_data_stale_assets", "dataset"),
                steps=ABOVE_ZERO_WARNS,
                decimals=0,
            ),
            Column(title="Of assets", expr=fleet("financehub_data_assets", "dataset"), decimals=0),
            Column(
                title="Oldest quote",
                expr=f"max by (namespace, release, dataset) ({oldest})",
                unit="s",
                decimals=0,
            ),
        ],
        sort="Age ÷ limit",
        links={"Dataset": links.to_dashboard("financehub-providers")},
    )
    history = graph(
        About(
            title="Age ÷ limit over time",
            text="The same ages over time, as a share of the limit. A healthy dataset is a sawtooth below 100 %. A "
            "line that climbs above 100 % is bad. It shows when the problem began.",
            unit="percentunit",
            no_value=_NO_SCHEDULER,
            steps=OF_LIMIT,
        ),
        Query(_OF_LIMIT, "{{dataset}}"),
    )
    return Section("Is the data fresh?", [Line(9, [(14, table), (10, history)])])


def tiers() -> Section:
    """How long messages wait in each tier, to find a tier that is behind."""
    table = rows(
        About(
            title="Tiers",
            text="How long the oldest ready message of each tier has waited, and the wait target. The tier that is "
            "furthest behind is on top. A wait above its target is bad. Click a tier to see whether its workers are "
            "missing, busy or stuck.",
            unit="none",
            no_value=_NO_SCHEDULER,
        ),
        {"queue": "Tier"},
        [
            Column(title="Oldest wait", expr=_WAIT, unit="s", decimals=0),
            Column(title="Target", expr=_TARGET, unit="s", decimals=0),
            Column(
                title="Wait ÷ target",
                expr=f"{_WAIT} / {_TARGET}",
                unit="percentunit",
                steps=OF_LIMIT,
                gauge=1.5,
                decimals=0,
            ),
            Column(title="Ready", expr=fleet("financehub_queue_messages", "queue", 'state="ready"'), decimals=0),
            Column(title="Dead", expr=fleet("financehub_queue_messages", "queue", 'state="dead"'), decimals=0),
            Column(title="Workers", expr=fleet("financehub_queue_workers", "queue"), decimals=0),
        ],
        sort="Wait ÷ target",
        links={"Tier": links.to_tier("${__value.raw}")},
    )
    history = graph(
        About(
            title="Wait of the oldest message ÷ target",
            text="The same waits over time. Above 100 %, messages start too late. A line that keeps climbing means "
            "that the tier receives more work than it can do.",
            unit="percentunit",
            no_value=_NO_SCHEDULER,
            steps=OF_LIMIT,
            links=(links.to_tier("${__field.labels.queue}"),),
        ),
        Query(f"{_WAIT} / {_TARGET}", "{{queue}}"),
    )
    return Section("Which tier is behind?", [Line(8, [(12, table), (12, history)])])


def failures() -> Section:
    """The tasks, breakers and quarantine reasons that show what fails."""
    tasks = graph(
        About(
            title="Failures by task",
            text="Failed attempts by task. Most of them are retried. If a burst ends, the upstream has recovered. A "
            "task that keeps failing is bad and leads to dead letters. The dashboard of its tier shows the "
            "exceptions.",
            unit="cpm",
            no_value="No data: no worker is scraped",
        ),
        Query(per_minute("financehub_messages_total", "actor", 'outcome=~"retrying|dead-lettered"'), "{{actor}}"),
        bar=True,
    )
    state = {
        name: series("financehub_circuit_breaker_state", 'component="scheduler"', f'state="{name}"')
        for name in ("open", "half-open")
    }
    breakers = timeline(
        About(
            title="Circuit breakers",
            text="The state of each provider's breaker. Open means that the provider has failed so often that "
            "FinanceHub does not call it for a while. The next provider in order delivers instead. A breaker that "
            "stays open for over 10 minutes is bad: see Providers.",
            unit="none",
            no_value="No data: no breaker has been used yet",
            steps=((None, GOOD), (1, WARN), (2, BAD)),
            high=2,
            mappings=(BREAKER,),
            links=(links.to_dashboard("financehub-providers"),),
        ),
        Query(
            f"2 * max by (provider) ({state['open']}) + max by (provider) ({state['half-open']})",
            "{{provider}}",
        ),
    )
    reasons = bars(
        About(
            title="Top reasons of quarantine",
            text="Records that were not stored because they failed validation, by kind and reason, within the time "
            "range. A few are normal. Many with the same reason are bad: a provider has changed its responses, or a "
            "limit is too strict. Read the records with `financehub quarantine`.",
            unit="none",
            no_value=none_is_good("nothing was quarantined"),
            decimals=0,
        ),
        Query(f"topk(8, {increase('financehub_quarantined_total', 'kind, reason')} > 0)", "{{kind}}: {{reason}}"),
    )
    return Section("What fails, and why?", [Line(8, [(8, tasks), (8, breakers), (8, reasons)])])


def objectives() -> Section:
    """The service level objectives over 30 days."""
    left = bars(
        About(
            title="Error budget left, 30 days",
            text="How much is left of the 1 % of errors that each objective allows in 30 days: freshness (datasets "
            "within their limit), start (attempts that started in time) and success (runs that succeeded). Below 0 "
            "the objective is missed, so put reliability before new features. The figure covers only the days for "
            "which Prometheus keeps data.",
            unit="percentunit",
            no_value=_NO_RULES,
            steps=((None, BAD), (0, WARN), (0.25, GOOD)),
            high=1,
            decimals=1,
        ),
        Query(_BUDGET_LEFT, "{{slo}}"),
    )
    burn = graph(
        About(
            title="Burn rate of the last hour",
            text="How many times faster than allowed each error budget is being spent. At 1 the budget lasts exactly "
            "30 days. Above 14.4 an alert pages an operator. Find the cause in the sections above.",
            unit="none",
            no_value=_NO_RULES,
            steps=((None, GOOD), (1, WARN), (14.4, BAD)),
            decimals=1,
        ),
        Query(_BURN_RATE, "{{slo}}"),
    )
    return Section("Are the objectives met?", [Line(7, [(10, left), (14, burn)])])


def build() -> dashboard.Dashboard:
    """Build the dashboard."""
    sections = [summary(), freshness(), tiers(), failures(), objectives()]
    text = "Whether everything works: freshness, tiers, failures and objectives of one release, in this order."
    return assemble(UID, text, sections, period="6h")
