"""What would lose work, or could not do what it promises, is refused, with the mend in the message."""

import re
from dataclasses import dataclass
from typing import Any

import pytest

from support.chart import CHART, RELEASE, refusal, render
from support.chart_values import merged

Values = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """Values that are refused.

    Args:
        values: the combination.
        says: what stands in the message: where, what is wrong and how to mend it.
        mends: values over them with which they are accepted, each as the message says.
        release: its name.
    """

    values: Values
    says: tuple[str, ...]
    mends: tuple[Values, ...]
    release: str = RELEASE


_EXTERNAL = {"redis": {"enabled": False}}
_OWN_TASK = {"schedules": {"mine": {"spec": {"task": "my_task", "schedule": "@hourly"}}}}
_NO_REQUEST = {"resources": {"requests": {"cpu": None}}}
#: Some of the alerts, of the first and the last file: a message that lists alerts has them.
_ALERTS = ("FinanceHubDatasetStale", "FinanceHubSchedulerAbsent", "FinanceHubSuccessBudgetBurnSlow")
_RESEARCH = {"image": {"repository": "team/research"}, "module": "research.worker"}


def _rules(**values: Any) -> Values:
    return {"metrics": {"prometheusRule": values}}


CASES = {
    "a name that begins with no letter": Case(
        {}, ("fullnameOverride", "2024-financehub", "begin with a letter"), ({"fullnameOverride": "prices"},), "2024"
    ),
    "a name with a dot": Case(
        {}, ("fullnameOverride", "a.b-financehub", "no dot"), ({"fullnameOverride": "prices"},), "a.b"
    ),
    "a schedule that says twice when it runs": Case(
        {"schedules": {"fetch-news": {"spec": {"schedules": ["@hourly"]}}}},
        ("schedules.fetch-news.spec", "leave one out", "schedule: null"),
        ({"schedules": {"fetch-news": {"spec": {"schedule": None}}}},),
    ),
    "a schedule that does not say when it runs": Case(
        {"schedules": {"mine": {"spec": {"task": "fetch_news_task"}}}},
        ("schedules.mine.spec.schedule", "missing"),
        (
            {"schedules": {"mine": {"spec": {"schedule": "@hourly"}}}},
            {"schedules": {"mine": {"spec": {"schedules": ["@hourly"]}}}},
        ),
    ),
    "a Secret that nobody would read": Case(
        {"redis": {"enabled": False, "existingSecret": "mine"}, "externalRedis": {"url": "redis://db.example.com/0"}},
        ("redis.existingSecret", "externalRedis.existingSecret"),
        ({"redis": {"existingSecret": ""}, "externalRedis": {"existingSecret": "mine"}},),
    ),
    "a Redis that KEDA would look for elsewhere": Case(
        {
            "redis": {"enabled": False},
            "externalRedis": {"url": "redis://my-redis:6379/0"},
            "autoscaling": {"mode": "keda"},
        },
        ("externalRedis.url", "my-redis.NAMESPACE.svc"),
        ({"externalRedis": {"url": "redis://my-redis.market.svc:6379/0"}}, {"autoscaling": {"mode": "hpa"}}),
    ),
    "two tiers with one queue": Case(
        {"tiers": {"research": _RESEARCH | {"queue": "low"}}},
        ("tiers.research.queue", "tier low", "another queue"),
        ({"tiers": {"research": {"queue": "research"}}},),
    ),
    "a tier without a module": Case(
        {"tiers": {"research": {"image": {"repository": "team/research"}}}},
        ("tiers.research.module", "missing"),
        ({"tiers": {"research": _RESEARCH}},),
    ),
    "a tier without an image": Case(
        {"tiers": {"research": {"module": "research.worker"}}},
        ("tiers.research.image.repository", "missing"),
        ({"tiers": {"research": _RESEARCH}},),
    ),
    "a grace period that ends before the worker does": Case(
        {"tiers": {"high": {"terminationGracePeriodSeconds": 194}}},
        ("tiers.high.terminationGracePeriodSeconds", "set it to 195 or more", "shutdownTimeoutSeconds to 179 or less"),
        (
            {"tiers": {"high": {"terminationGracePeriodSeconds": 195}}},
            {"tiers": {"high": {"shutdownTimeoutSeconds": 179}}},
        ),
    ),
    "fewer pods at most than at least": Case(
        {"tiers": {"high": {"autoscaling": {"minReplicas": 6}}}},
        ("tiers.high.autoscaling", "maxReplicas 5", "minReplicas 6"),
        ({"tiers": {"high": {"autoscaling": {"maxReplicas": 6}}}},),
    ),
    "no pod at all without KEDA": Case(
        {"tiers": {"low": {"autoscaling": {"minReplicas": 0}}}},
        ("tiers.low.autoscaling.minReplicas", "set it to 1", "install KEDA"),
        ({"tiers": {"low": {"autoscaling": {"minReplicas": 1}}}}, {"autoscaling": {"mode": "keda"}}),
    ),
    "scaling by a request that is not made": Case(
        {"tierDefaults": _NO_REQUEST, "tiers": {"high": _NO_REQUEST}},
        ("tiers.high.resources.requests.cpu", "missing", "autoscaling.enabled=false"),
        (
            {"tiers": {"high": {"resources": {"requests": {"cpu": "50m"}}}}},
            {"tiers": {"high": {"autoscaling": {"enabled": False}}}},
        ),
    ),
    "a schedule of an unknown task without a queue": Case(
        _OWN_TASK,
        ("schedules.mine.spec.queue", "my_task"),
        ({"tiers": {"research": _RESEARCH}, "schedules": {"mine": {"spec": {"queue": "research"}}}},),
    ),
    "a task that no worker of its queue knows": Case(
        {"schedules": {"mine": {"spec": {"task": "fetch_cripto_prices_task", "queue": "high", "schedule": "@hourly"}}}},
        ("schedules.mine.spec.task", "do not know fetch_cripto_prices_task", "a tier of yours"),
        (
            {"schedules": {"mine": {"spec": {"task": "fetch_crypto_prices_task"}}}},
            {"tiers": {"research": _RESEARCH}, "schedules": {"mine": {"spec": {"queue": "research"}}}},
        ),
    ),
    "a catalogue task on a tier that runs another's module": Case(
        {
            "tierDefaults": {"module": "financehub_low_priority.worker"},
            "tiers": {"spare": {"image": {"repository": "financehub/low-priority"}}},
            "schedules": {"fetch-news": {"spec": {"queue": "spare"}}},
        },
        ("schedules.fetch-news.spec.queue", "do not know fetch_news_task"),
        ({"schedules": {"fetch-news": {"spec": {"queue": "medium"}}}},),
    ),
    "a task of the catalogue on a tier that does not know it": Case(
        {"schedules": {"fetch-news": {"spec": {"queue": "high"}}}},
        ("schedules.fetch-news.spec.queue", "do not know fetch_news_task", "leave it out"),
        (
            {"schedules": {"fetch-news": {"spec": {"queue": "medium"}}}},
            {"tiers": {"research": _RESEARCH}, "schedules": {"fetch-news": {"spec": {"queue": "research"}}}},
            {
                "tierDefaults": {"module": "research.worker"},
                "tiers": {"research": {"image": {"repository": "team/research"}}},
                "schedules": {"fetch-news": {"spec": {"queue": "research"}}},
            },
        ),
    ),
    "a schedule whose queue nobody serves": Case(
        {"schedules": {"fetch-news": {"spec": {"queue": "research"}}}},
        ("schedules.fetch-news", "research", "add a tier with that queue", "schedules.fetch-news.enabled=false"),
        ({"tiers": {"research": _RESEARCH}}, {"schedules": {"fetch-news": {"enabled": False}}}),
    ),
    "a tier taken away with its schedules left": Case(
        {"tiers": {"medium": None}},
        ("no tier serves its queue medium",),
        ({"schedules": {"fetch-news": None, "calculate-indicators": {"enabled": False}}},),
    ),
    "a scheduler that does not look where the schedules are": Case(
        {"scheduler": {"namespaces": ["research"]}},
        ("scheduler.namespaces", "without market"),
        ({"scheduler": {"namespaces": ["research", "market"]}},),
    ),
    "two Redis": Case(
        {"externalRedis": {"url": "redis://cache.example/0"}},
        ("externalRedis", "redis.enabled=false", "leave externalRedis empty"),
        (_EXTERNAL, {"externalRedis": {"url": ""}}),
    ),
    "an authority for a Redis that speaks no TLS": Case(
        {"externalRedis": {"tls": {"caSecret": "authority"}}},
        ("externalRedis.tls.caSecret", "redis.enabled=false"),
        (
            _EXTERNAL | {"externalRedis": {"url": "rediss://cache.example/0"}},
            {"externalRedis": {"tls": {"caSecret": ""}}},
        ),
    ),
    "an authority for a URL without TLS": Case(
        _EXTERNAL | {"externalRedis": {"url": "redis://cache.example/0", "tls": {"caSecret": "authority"}}},
        ("externalRedis.tls.caSecret", "rediss://"),
        ({"externalRedis": {"url": "rediss://cache.example/0"}}, {"externalRedis": {"tls": {"caSecret": ""}}}),
    ),
    "a database that KEDA would not follow": Case(
        _EXTERNAL | {"externalRedis": {"url": "redis://cache.example?db=2"}},
        ("externalRedis.url", "redis://host:6379/2"),
        ({"externalRedis": {"url": "redis://cache.example/2"}},),
    ),
    "no Redis": Case(
        _EXTERNAL,
        ("externalRedis.url", "missing", "redis://host:6379/0"),
        ({"externalRedis": {"url": "redis://cache.example/0"}},),
    ),
    "Redis with a small disk": Case(
        {"redis": {"memory": "8Gi", "persistence": {"size": "15Gi"}}},
        ("redis.persistence.size", "15Gi", "8Gi", "raise the size"),
        ({"redis": {"persistence": {"size": "16Gi"}}}, {"redis": {"memory": "7680Mi"}}),
    ),
    "Redis without a disk": Case(
        {"redis": {"persistence": {"enabled": False}}},
        ("redis.persistence.enabled", "redis.persistence.acceptLoss=true"),
        ({"redis": {"persistence": {"acceptLoss": True}}},),
    ),
    "a URL here and in a Secret": Case(
        _EXTERNAL
        | {
            "externalRedis": {"url": "redis://cache.example/0", "existingSecret": "mine", "urlKey": "url"},
            "autoscaling": {"mode": "hpa"},
        },
        ("externalRedis", "set one of them"),
        ({"externalRedis": {"url": ""}}, {"externalRedis": {"urlKey": ""}}),
    ),
    "a key of no Secret": Case(
        _EXTERNAL | {"externalRedis": {"urlKey": "url"}, "autoscaling": {"mode": "hpa"}},
        ("externalRedis.existingSecret", "missing"),
        ({"externalRedis": {"existingSecret": "mine"}},),
    ),
    "a password in values": Case(
        _EXTERNAL | {"externalRedis": {"url": "redis://:secret@cache.example/0"}},
        ("externalRedis.url", "password", "existingSecret"),
        ({"externalRedis": {"url": "redis://cache.example/0", "existingSecret": "mine"}},),
    ),
    "a password with a slash in values": Case(
        _EXTERNAL | {"externalRedis": {"url": "redis://worker:sec/ret@cache.example/0"}},
        ("externalRedis.url", "password", "existingSecret"),
        ({"externalRedis": {"url": "redis://worker@cache.example/0", "existingSecret": "mine"}},),
    ),
    "a password among a URL's parameters": Case(
        _EXTERNAL | {"externalRedis": {"url": "redis://cache.example/0?password=secret"}},
        ("externalRedis.url", "password", "existingSecret"),
        ({"externalRedis": {"url": "redis://cache.example/0", "existingSecret": "mine"}},),
    ),
    "a URL that KEDA cannot read": Case(
        _EXTERNAL | {"externalRedis": {"existingSecret": "mine", "urlKey": "url"}, "autoscaling": {"mode": "keda"}},
        ("externalRedis.urlKey", "KEDA", "autoscaling.mode=hpa"),
        (
            {"autoscaling": {"mode": "hpa"}},
            {"externalRedis": {"urlKey": "", "url": "redis://cache.example/0"}},
        ),
    ),
    "a setting that is the chart's": Case(
        {"settings": {"FINANCEHUB_HTTP_PORT": 9000}},
        ("settings.FINANCEHUB_HTTP_PORT", "leave it out"),
        ({"settings": {"FINANCEHUB_HTTP_PORT": None}},),
    ),
    "a key in a ConfigMap": Case(
        {"settings": {"FINANCEHUB_FINNHUB_API_KEY": "d3adb33f"}},
        ("settings.FINANCEHUB_FINNHUB_API_KEY", "providerKeys.existingSecret"),
        ({"settings": {"FINANCEHUB_FINNHUB_API_KEY": None}, "providerKeys": {"existingSecret": "keys"}},),
    ),
    "queues in another Redis": Case(
        {"settings": {"DRAMATIQ_BROKER_URL": "redis://queues.example/0"}},
        ("settings.DRAMATIQ_BROKER_URL", "leave it out", "externalRedis"),
        ({"settings": {"DRAMATIQ_BROKER_URL": None}},),
    ),
    "a disabled alert that does not exist": Case(
        _rules(disabled={"FinanceHubClockSkews": True}),
        ("metrics.prometheusRule.disabled", "no alert FinanceHubClockSkews", "FinanceHubClockSkew, ", *_ALERTS),
        (_rules(disabled={"FinanceHubClockSkews": None, "FinanceHubClockSkew": True}),),
    ),
    "a disabled recording rule": Case(
        _rules(disabled={"release:financehub_slo_errors:ratio_rate5m": True}),
        ("metrics.prometheusRule.disabled", "only alerts can be disabled"),
        (_rules(disabled={"release:financehub_slo_errors:ratio_rate5m": None}),),
    ),
    "an override of an alert that does not exist": Case(
        _rules(overrides={"QueueTooOld": {"for": "30m"}}),
        ("metrics.prometheusRule.overrides.QueueTooOld", "no alert of this name", *_ALERTS),
        (_rules(overrides={"QueueTooOld": None, "FinanceHubQueueTooOld": {"for": "30m"}}),),
    ),
    "an override of something that an alert does not have": Case(
        _rules(overrides={"FinanceHubQueueTooOld": {"fro": "30m"}}),
        ("metrics.prometheusRule.overrides.FinanceHubQueueTooOld.fro", "annotations, expr, for, labels, severity"),
        (_rules(overrides={"FinanceHubQueueTooOld": {"fro": None, "for": "30m"}}),),
    ),
    "a label that hides which release an alert is about": Case(
        _rules(ruleLabels={"release": "kube-prometheus-stack"}),
        ("metrics.prometheusRule.ruleLabels", "release", "metrics.prometheusRule.labels"),
        (
            _rules(ruleLabels={"release": None, "team": "markets"}),
            _rules(ruleLabels={"release": None}, labels={"release": "kube-prometheus-stack"}),
        ),
    ),
    "a severity among an override's labels": Case(
        _rules(overrides={"FinanceHubQueueTooOld": {"labels": {"severity": "critical"}}}),
        ("metrics.prometheusRule.overrides.FinanceHubQueueTooOld.labels", "severity is a separate key beside labels"),
        (_rules(overrides={"FinanceHubQueueTooOld": {"labels": None, "severity": "critical"}}),),
    ),
    "runbooks at a place without a scheme": Case(
        _rules(runbookUrl="wiki.example.org/runbooks"),
        ("metrics.prometheusRule.runbookUrl", "wiki.example.org/runbooks is not a URL", "https://host/path"),
        (_rules(runbookUrl="https://wiki.example.org/runbooks"), _rules(runbookUrl="")),
    ),
    "runbooks behind a query": Case(
        _rules(runbookUrl="https://wiki.example.org/?page=runbooks"),
        ("metrics.prometheusRule.runbookUrl", "/<alert>.md can be added"),
        (_rules(runbookUrl="https://wiki.example.org"),),
    ),
    "a rule group with the name of another": Case(
        _rules(additionalGroups=[{"name": "mine", "rules": []}, {"name": "mine", "rules": []}]),
        ("metrics.prometheusRule.additionalGroups", "two groups called mine", "another name"),
        (_rules(additionalGroups=[{"name": "mine", "rules": []}, {"name": "more", "rules": []}]),),
    ),
    "a scrape that may last longer than the interval": Case(
        {"metrics": {"podMonitor": {"scrapeTimeout": "1m"}}},
        ("metrics.podMonitor.scrapeTimeout", "1m is longer than the interval, 30s", "set it to 30s or less"),
        ({"metrics": {"podMonitor": {"scrapeTimeout": "30s"}}}, {"metrics": {"podMonitor": {"interval": "2m"}}}),
    ),
    "dashboards for no Grafana": Case(
        {"metrics": {"dashboards": {"enabled": True, "grafanaOperator": {"enabled": True}}}},
        ("metrics.dashboards.grafanaOperator.instanceSelector", "missing", "grafanaOperator.enabled=false"),
        (
            {"metrics": {"dashboards": {"grafanaOperator": {"instanceSelector": {"matchLabels": {"a": "b"}}}}}},
            {"metrics": {"dashboards": {"grafanaOperator": {"enabled": False}}}},
        ),
    ),
    "references to dashboards that are not made": Case(
        {"metrics": {"dashboards": {"grafanaOperator": {"enabled": True, "instanceSelector": {"matchLabels": {}}}}}},
        ("metrics.dashboards.grafanaOperator.enabled", "without metrics.dashboards.enabled", "set both"),
        (
            {"metrics": {"dashboards": {"enabled": True}}},
            {"metrics": {"dashboards": {"grafanaOperator": {"enabled": False}}}},
        ),
    ),
    "real data stored as simulated": Case(
        {"simulator": {"enabled": True}, "settings": {"FINANCEHUB_BINANCE_URL": "https://data-api.binance.vision"}},
        ("settings.FINANCEHUB_BINANCE_URL", "simulator.enabled=false"),
        ({"settings": {"FINANCEHUB_BINANCE_URL": None}}, {"simulator": {"enabled": False}}),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_with_its_mend(name: str):
    """The message says where, what is wrong and how to mend it."""
    message = refusal(CASES[name].values, CASES[name].release)
    assert [part for part in CASES[name].says if part not in message] == [], message


MENDS = [(name, mend) for name, case in CASES.items() for mend in case.mends]


@pytest.mark.parametrize(("name", "mend"), MENDS, ids=[f"{name}: {mend}" for name, mend in MENDS])
def test_who_does_what_the_message_says_is_served(name: str, mend: Values):
    """Each mend alone is enough."""
    assert render(merged(CASES[name].values, mend), release=CASES[name].release).documents


#: Everything that makes the chart set a setting.
_ALL_SET = {
    "simulator": {"enabled": True},
    "providerKeys": {"existingSecret": "keys"},
    "tiers": {"low": {"autoscaling": {"minReplicas": 0}}},
    "autoscaling": {"mode": "keda"},
}


def test_no_setting_is_made_twice():
    """What the chart sets the user cannot set beside it: of two, one would win without a word."""
    environment = render(_ALL_SET).environment("scheduler")
    assert environment.keys() > {"FINANCEHUB_RELEASE", "FINANCEHUB_MAX_WORKERS"}
    for name in environment:
        assert name in refusal(_ALL_SET | {"settings": {name: "1"}})


#: Every message of the templates, as it is written there.
SAID = [
    said
    for path in sorted((CHART / "templates").rglob("*.*"))
    for said in re.findall(r'\{\{-? *fail (?:\(printf )?"([^"]+)"', path.read_text(encoding="utf-8"))
]


#: Said of what is in the cluster; the end-to-end tests hear it.
_OF_THE_CLUSTER = "fullnameOverride: the release's Redis is"


def test_every_refusal_of_the_chart_is_one_of_these():
    """No template refuses what is not tested here."""
    refused = [refusal(case.values, case.release) for case in CASES.values()]
    patterns = [re.sub("%[sd]", ".+", re.escape(said)) for said in SAID if not said.startswith(_OF_THE_CLUSTER)]
    assert patterns
    assert [each for each in patterns if not any(re.search(each, message) for message in refused)] == []


@pytest.mark.parametrize("said", SAID)
def test_the_readme_lists_it(said: str):
    """The chart's README names the place of every refusal, so that one can know before installing."""
    place = re.sub("%s", r"[\\w.]+", re.escape(said.partition(":")[0]))
    assert re.search(rf"^\| `{place}` \|", (CHART / "README.md").read_text(encoding="utf-8"), re.MULTILINE), place
