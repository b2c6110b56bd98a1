"""Tests that the chart refuses values that would lose work or have no effect, and explains the fix."""

import re
from typing import Any

import pytest

from financehub_shared.core.settings import Settings
from financehub_shared.core.url_secrets import has_secret
from support.chart import CHART, refusal, render
from support.chart_values import merged
from support.refused_assets import ASSET_CASES
from support.refused_egress_values import EGRESS_CASES
from support.refused_pod_values import POD_CASES
from support.refused_redis_values import REDIS_CASES
from support.refused_values import Case, Values
from support.refused_web_values import WEB_CASES

_PAGE = CHART.parents[2] / "docs/chart-refused-values.md"

_EXTERNAL = {"redis": {"enabled": False}}
_OWN_TASK = {"schedules": {"mine": {"spec": {"task": "my_task", "schedule": "@hourly"}}}}
_NO_REQUEST = {"resources": {"requests": {"cpu": None}}}
#: Alerts from the first and the last rule file. Any message that lists all alerts contains them.
_ALERTS = ("FinanceHubDatasetStale", "FinanceHubSchedulerAbsent", "FinanceHubSuccessBudgetBurnSlow")
_RESEARCH = {"image": {"repository": "team/research"}, "module": "research.worker"}


def _rules(**values: Any) -> Values:
    return {"metrics": {"prometheusRule": values}}


_FEED = "https://news.example.com/rss"


def _secret_feed(url: str) -> Case:
    return Case(
        {"settings": {"FINANCEHUB_RSS_FEEDS": f"{_FEED},{url}"}},
        ("settings.FINANCEHUB_RSS_FEEDS", "providerKeys.existingSecret", "secret_rss_feeds"),
        ({"settings": {"FINANCEHUB_RSS_FEEDS": _FEED}, "providerKeys": {"existingSecret": "mine"}},),
    )


CASES = {
    "a feed with a user that is a token": _secret_feed("https://t0ken@news.example.com/rss"),
    "a feed with a password": _secret_feed("https://me:pw@news.example.com/rss"),
    "a feed with a token parameter": _secret_feed("https://news.example.com/rss?format=xml&token=1"),
    "a feed with another secret parameter": _secret_feed("https://news.example.com/rss?x_api_key=1"),
    "a feed with a token in any parameter": _secret_feed("https://news.example.com/rss?u=abcdefghij0123456789"),
    "a feed with a token in its path": _secret_feed("https://news.example.com/0123456789abcdef0123/rss"),
    "a feed with a UUID in its path": _secret_feed("https://news.example.com/0b8f3c1e-1111-4222-8333-444455556666"),
    "a base URL with a key": Case(
        {"settings": {"FINANCEHUB_FINNHUB_URL": "https://finnhub.example.com/?apikey=1"}},
        ("settings.FINANCEHUB_FINNHUB_URL", "providerKeys.existingSecret", "API key"),
        ({"settings": {"FINANCEHUB_FINNHUB_URL": "https://finnhub.example.com"}},),
    ),
    "secret feeds in the settings": Case(
        {"settings": {"FINANCEHUB_SECRET_RSS_FEEDS": _FEED}},
        ("settings.FINANCEHUB_SECRET_RSS_FEEDS", "providerKeys.existingSecret", "one URL per line"),
        ({"settings": {"FINANCEHUB_SECRET_RSS_FEEDS": None}, "providerKeys": {"existingSecret": "mine"}},),
    ),
    "a name that does not begin with a letter": Case(
        {},
        ("fullnameOverride", "2024-financehub", "begin with a letter"),
        ({"fullnameOverride": "prices"},),
        "2024",
    ),
    "a name with a dot": Case(
        {}, ("fullnameOverride", "a.b-financehub", "no dot"), ({"fullnameOverride": "prices"},), "a.b"
    ),
    "a schedule with both schedule and schedules": Case(
        {"schedules": {"fetch-news": {"spec": {"schedules": ["@hourly"]}}}},
        ("schedules.fetch-news.spec", "remove one of them", "schedule: null"),
        ({"schedules": {"fetch-news": {"spec": {"schedule": None}}}},),
    ),
    "a schedule without schedule and schedules": Case(
        {"schedules": {"mine": {"spec": {"task": "fetch_news_task"}}}},
        ("schedules.mine.spec.schedule", "missing"),
        (
            {"schedules": {"mine": {"spec": {"schedule": "@hourly"}}}},
            {"schedules": {"mine": {"spec": {"schedules": ["@hourly"]}}}},
        ),
    ),
    "a Secret for the disabled embedded Redis": Case(
        {
            "redis": {"enabled": False, "existingSecret": "mine"},
            "externalRedis": {"url": "redis://db.example.com/0"},
        },
        ("redis.existingSecret", "externalRedis.existingSecret"),
        ({"redis": {"existingSecret": ""}, "externalRedis": {"existingSecret": "mine"}},),
    ),
    "a host name that KEDA cannot resolve": Case(
        {
            "redis": {"enabled": False},
            "externalRedis": {"url": "redis://my-redis:6379/0"},
            "autoscaling": {"mode": "keda"},
        },
        ("externalRedis.url", "my-redis.NAMESPACE.svc"),
        ({"externalRedis": {"url": "redis://my-redis.market.svc:6379/0"}}, {"autoscaling": {"mode": "hpa"}}),
    ),
    "Sentinels without a service": Case(
        {"redis": {"enabled": False}, "externalRedis": {"url": "redis+sentinel://db.example.com:26379"}},
        ("externalRedis.url", "the name of the service", "redis+sentinel://host:26379/mymaster/0"),
        ({"externalRedis": {"url": "redis+sentinel://db.example.com:26379/mymaster"}},),
    ),
    "the password of the Sentinels in the URL": Case(
        {
            "redis": {"enabled": False},
            "externalRedis": {"url": "redis+sentinel://db.example.com/mymaster?sentinel_password=secret"},
        },
        ("externalRedis.url", "password", "existingSecret"),
        ({"externalRedis": {"url": "redis+sentinel://db.example.com/mymaster"}},),
    ),
    "a Sentinel whose host name KEDA cannot resolve": Case(
        {
            "redis": {"enabled": False},
            "externalRedis": {"url": "redis+sentinel://a.market.svc,sentinel/mymaster"},
            "autoscaling": {"mode": "keda"},
        },
        ("externalRedis.url", "sentinel.NAMESPACE.svc"),
        ({"externalRedis": {"url": "redis+sentinel://a.market.svc,b.market.svc/mymaster"}},),
    ),
    "two tiers with the same queue": Case(
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
    "a grace period shorter than the shutdown": Case(
        {"tiers": {"high": {"terminationGracePeriodSeconds": 194}}},
        (
            "tiers.high.terminationGracePeriodSeconds",
            "set it to 195 or more",
            "shutdownTimeoutSeconds to 179 or less",
        ),
        (
            {"tiers": {"high": {"terminationGracePeriodSeconds": 195}}},
            {"tiers": {"high": {"shutdownTimeoutSeconds": 179}}},
        ),
    ),
    "a maximum of pods below the minimum": Case(
        {"tiers": {"high": {"autoscaling": {"minReplicas": 6}}}},
        ("tiers.high.autoscaling", "maxReplicas (5)", "minReplicas (6)"),
        ({"tiers": {"high": {"autoscaling": {"maxReplicas": 6}}}},),
    ),
    "a minimum of zero pods without KEDA": Case(
        {"tiers": {"low": {"autoscaling": {"minReplicas": 0}}}},
        ("tiers.low.autoscaling.minReplicas", "set it to 1", "install KEDA"),
        ({"tiers": {"low": {"autoscaling": {"minReplicas": 1}}}}, {"autoscaling": {"mode": "keda"}}),
    ),
    "CPU scaling without a CPU request": Case(
        {"tierDefaults": _NO_REQUEST, "tiers": {"high": _NO_REQUEST}},
        ("tiers.high.resources.requests.cpu", "missing", "autoscaling.enabled=false"),
        (
            {"tiers": {"high": {"resources": {"requests": {"cpu": "50m"}}}}},
            {"tiers": {"high": {"autoscaling": {"enabled": False}}}},
        ),
    ),
    "a schedule of a custom task without a queue": Case(
        _OWN_TASK,
        ("schedules.mine.spec.queue", "my_task"),
        ({"tiers": {"research": _RESEARCH}, "schedules": {"mine": {"spec": {"queue": "research"}}}},),
    ),
    "a task that is unknown to the workers of its queue": Case(
        {"schedules": {"mine": {"spec": {"task": "fetch_cripto_prices_task", "queue": "high", "schedule": "@hourly"}}}},
        ("schedules.mine.spec.task", "do not know fetch_cripto_prices_task", "your own tier"),
        (
            {"schedules": {"mine": {"spec": {"task": "fetch_crypto_prices_task"}}}},
            {"tiers": {"research": _RESEARCH}, "schedules": {"mine": {"spec": {"queue": "research"}}}},
        ),
    ),
    "a catalog task on a tier with another tier's module": Case(
        {
            "tierDefaults": {"module": "financehub_low_priority.worker"},
            "tiers": {"spare": {"image": {"repository": "financehub/low-priority"}}},
            "schedules": {"fetch-news": {"spec": {"queue": "spare"}}},
        },
        ("schedules.fetch-news.spec.queue", "do not know fetch_news_task"),
        ({"schedules": {"fetch-news": {"spec": {"queue": "medium"}}}},),
    ),
    "a catalog task in another built-in queue": Case(
        {"schedules": {"fetch-news": {"spec": {"queue": "high"}}}},
        ("schedules.fetch-news.spec.queue", "do not know fetch_news_task", "remove the value"),
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
    "a schedule whose queue has no tier": Case(
        {"schedules": {"fetch-news": {"spec": {"queue": "research"}}}},
        ("schedules.fetch-news", "research", "add a tier with that queue", "schedules.fetch-news.enabled=false"),
        ({"tiers": {"research": _RESEARCH}}, {"schedules": {"fetch-news": {"enabled": False}}}),
    ),
    "a removed tier whose schedules remain": Case(
        {"tiers": {"medium": None}},
        ("no tier serves its queue medium",),
        ({"schedules": {"fetch-news": None, "calculate-indicators": {"enabled": False}}},),
    ),
    "a scheduler that does not watch the release's namespace": Case(
        {"scheduler": {"namespaces": ["research"]}},
        ("scheduler.namespaces", "does not include market"),
        ({"scheduler": {"namespaces": ["research", "market"]}},),
    ),
    "an external Redis next to the embedded one": Case(
        {"externalRedis": {"url": "redis://cache.example/0"}},
        ("externalRedis", "redis.enabled=false", "leave externalRedis empty"),
        (_EXTERNAL, {"externalRedis": {"url": ""}}),
    ),
    "a CA certificate for the embedded Redis": Case(
        {"externalRedis": {"tls": {"caSecret": "authority"}}},
        ("externalRedis.tls.caSecret", "redis.enabled=false"),
        (
            _EXTERNAL | {"externalRedis": {"url": "rediss://cache.example/0"}},
            {"externalRedis": {"tls": {"caSecret": ""}}},
        ),
    ),
    "a CA certificate for a URL without TLS": Case(
        _EXTERNAL | {"externalRedis": {"url": "redis://cache.example/0", "tls": {"caSecret": "authority"}}},
        ("externalRedis.tls.caSecret", "rediss://"),
        ({"externalRedis": {"url": "rediss://cache.example/0"}}, {"externalRedis": {"tls": {"caSecret": ""}}}),
    ),
    "a database in a URL parameter": Case(
        _EXTERNAL | {"externalRedis": {"url": "redis://cache.example?db=2"}},
        ("externalRedis.url", "redis://host:6379/2"),
        ({"externalRedis": {"url": "redis://cache.example/2"}},),
    ),
    "no Redis": Case(
        _EXTERNAL,
        ("externalRedis.url", "missing", "redis://host:6379/0"),
        ({"externalRedis": {"url": "redis://cache.example/0"}},),
    ),
    "a Redis disk that is too small": Case(
        {"redis": {"memory": "8Gi", "persistence": {"size": "15Gi"}}},
        ("redis.persistence.size", "15Gi", "8Gi", "raise the size"),
        ({"redis": {"persistence": {"size": "16Gi"}}}, {"redis": {"memory": "7680Mi"}}),
    ),
    "Redis without a disk": Case(
        {"redis": {"persistence": {"enabled": False}}},
        ("redis.persistence.enabled", "redis.persistence.acceptLoss=true"),
        ({"redis": {"persistence": {"acceptLoss": True}}},),
    ),
    "a URL in the values and in a Secret": Case(
        _EXTERNAL
        | {
            "externalRedis": {"url": "redis://cache.example/0", "existingSecret": "mine", "urlKey": "url"},
            "autoscaling": {"mode": "hpa"},
        },
        ("externalRedis", "set only one of them"),
        ({"externalRedis": {"url": ""}}, {"externalRedis": {"urlKey": ""}}),
    ),
    "a urlKey without a Secret": Case(
        _EXTERNAL | {"externalRedis": {"urlKey": "url"}, "autoscaling": {"mode": "hpa"}},
        ("externalRedis.existingSecret", "missing"),
        ({"externalRedis": {"existingSecret": "mine"}},),
    ),
    "a password in a URL": Case(
        _EXTERNAL | {"externalRedis": {"url": "redis://:secret@cache.example/0"}},
        ("externalRedis.url", "password", "existingSecret"),
        ({"externalRedis": {"url": "redis://cache.example/0", "existingSecret": "mine"}},),
    ),
    "a password with a slash in a URL": Case(
        _EXTERNAL | {"externalRedis": {"url": "redis://worker:sec/ret@cache.example/0"}},
        ("externalRedis.url", "password", "existingSecret"),
        ({"externalRedis": {"url": "redis://worker@cache.example/0", "existingSecret": "mine"}},),
    ),
    "a password among a URL's parameters": Case(
        _EXTERNAL | {"externalRedis": {"url": "redis://cache.example/0?password=secret"}},
        ("externalRedis.url", "password", "existingSecret"),
        ({"externalRedis": {"url": "redis://cache.example/0", "existingSecret": "mine"}},),
    ),
    "a URL in a Secret, with KEDA": Case(
        _EXTERNAL | {"externalRedis": {"existingSecret": "mine", "urlKey": "url"}, "autoscaling": {"mode": "keda"}},
        ("externalRedis.urlKey", "KEDA", "autoscaling.mode=hpa"),
        (
            {"autoscaling": {"mode": "hpa"}},
            {"externalRedis": {"urlKey": "", "url": "redis://cache.example/0"}},
        ),
    ),
    "a setting that the chart sets": Case(
        {"settings": {"FINANCEHUB_HTTP_PORT": 9000}},
        ("settings.FINANCEHUB_HTTP_PORT", "remove it from settings"),
        ({"settings": {"FINANCEHUB_HTTP_PORT": None}},),
    ),
    "an API key in settings": Case(
        {"settings": {"FINANCEHUB_FINNHUB_API_KEY": "d3adb33f"}},
        ("settings.FINANCEHUB_FINNHUB_API_KEY", "providerKeys.existingSecret"),
        ({"settings": {"FINANCEHUB_FINNHUB_API_KEY": None}, "providerKeys": {"existingSecret": "keys"}},),
    ),
    "queues in another Redis": Case(
        {"settings": {"DRAMATIQ_BROKER_URL": "redis://queues.example/0"}},
        ("settings.DRAMATIQ_BROKER_URL", "remove the variable", "externalRedis"),
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
    "an override with an unknown key": Case(
        _rules(overrides={"FinanceHubQueueTooOld": {"fro": "30m"}}),
        ("metrics.prometheusRule.overrides.FinanceHubQueueTooOld.fro", "annotations, expr, for, labels, severity"),
        (_rules(overrides={"FinanceHubQueueTooOld": {"fro": None, "for": "30m"}}),),
    ),
    "a rule label that alerts already have": Case(
        _rules(ruleLabels={"release": "kube-prometheus-stack"}),
        ("metrics.prometheusRule.ruleLabels", "release", "metrics.prometheusRule.labels"),
        (
            _rules(ruleLabels={"release": None, "team": "markets"}),
            _rules(ruleLabels={"release": None}, labels={"release": "kube-prometheus-stack"}),
        ),
    ),
    "a severity among an override's labels": Case(
        _rules(overrides={"FinanceHubQueueTooOld": {"labels": {"severity": "critical"}}}),
        ("metrics.prometheusRule.overrides.FinanceHubQueueTooOld.labels", "severity has its own key"),
        (_rules(overrides={"FinanceHubQueueTooOld": {"labels": None, "severity": "critical"}}),),
    ),
    "a runbook URL without a scheme": Case(
        _rules(runbookUrl="wiki.example.org/runbooks"),
        ("metrics.prometheusRule.runbookUrl", "wiki.example.org/runbooks is not a URL", "https://host/path"),
        (_rules(runbookUrl="https://wiki.example.org/runbooks"), _rules(runbookUrl="")),
    ),
    "a runbook URL with a query": Case(
        _rules(runbookUrl="https://wiki.example.org/?page=runbooks"),
        ("metrics.prometheusRule.runbookUrl", "/<alert>.md can be added"),
        (_rules(runbookUrl="https://wiki.example.org"),),
    ),
    "two rule groups with the same name": Case(
        _rules(additionalGroups=[{"name": "mine", "rules": []}, {"name": "mine", "rules": []}]),
        ("metrics.prometheusRule.additionalGroups", "two groups called mine", "another name"),
        (_rules(additionalGroups=[{"name": "mine", "rules": []}, {"name": "more", "rules": []}]),),
    ),
    "a scrape timeout longer than the interval": Case(
        {"metrics": {"podMonitor": {"scrapeTimeout": "1m"}}},
        ("metrics.podMonitor.scrapeTimeout", "1m is longer than the interval, 30s", "set it to 30s or less"),
        ({"metrics": {"podMonitor": {"scrapeTimeout": "30s"}}}, {"metrics": {"podMonitor": {"interval": "2m"}}}),
    ),
    "GrafanaDashboards without an instance selector": Case(
        {"metrics": {"dashboards": {"enabled": True, "grafanaOperator": {"enabled": True}}}},
        ("metrics.dashboards.grafanaOperator.instanceSelector", "missing", "grafanaOperator.enabled=false"),
        (
            {"metrics": {"dashboards": {"grafanaOperator": {"instanceSelector": {"matchLabels": {"a": "b"}}}}}},
            {"metrics": {"dashboards": {"grafanaOperator": {"enabled": False}}}},
        ),
    ),
    "GrafanaDashboards without ConfigMaps": Case(
        {"metrics": {"dashboards": {"grafanaOperator": {"enabled": True, "instanceSelector": {"matchLabels": {}}}}}},
        ("metrics.dashboards.grafanaOperator.enabled", "without metrics.dashboards.enabled", "set both"),
        (
            {"metrics": {"dashboards": {"enabled": True}}},
            {"metrics": {"dashboards": {"grafanaOperator": {"enabled": False}}}},
        ),
    ),
    "a real provider next to the simulator": Case(
        {"simulator": {"enabled": True}, "settings": {"FINANCEHUB_BINANCE_URL": "https://data-api.binance.vision"}},
        ("settings.FINANCEHUB_BINANCE_URL", "simulator.enabled=false"),
        ({"settings": {"FINANCEHUB_BINANCE_URL": None}}, {"simulator": {"enabled": False}}),
    ),
} | WEB_CASES
CASES |= POD_CASES | REDIS_CASES | ASSET_CASES | EGRESS_CASES


@pytest.mark.parametrize("name", CASES)
def test_refused_values_yield_a_message_with_the_fix(name: str):
    """The message names the value, the problem and the fix."""
    message = refusal(CASES[name].values, CASES[name].release)
    assert [part for part in CASES[name].message_parts if part not in message] == [], message


FIXES = [(name, fix) for name, case in CASES.items() for fix in case.fixes]


@pytest.mark.parametrize(("name", "fix"), FIXES, ids=[f"{name}: {fix}" for name, fix in FIXES])
def test_refused_values_with_one_fix_are_accepted(name: str, fix: Values):
    """Each fix is sufficient on its own."""
    assert render(merged(CASES[name].values, fix), release=CASES[name].release).documents


#: Words that contain the name of a secret, long words, dates and numbers.
_PUBLIC_FEEDS = [
    *("?keywords=bitcoin", "?author=reuters", "?signal=1", "?design=x", "?monkey=1", "?assignee=me", "?authority=ecb"),
    *(
        "?category=cryptocurrency-markets-news",
        "?q=european_central_bank",
        "?q=internationalization",
        "/2026-11-30/rss",
    ),
    *("/arc/outboundfeeds/rss/?outputType=xml", "?ids=100003114,10001147", "?q=%E2%82%AC%E2%82%AC%E2%82%AC", "?sid1=1"),
    *(
        "?s=^GSPC&region=US&lang=en-US",
        "/rss#latest",
        "?passage=1",
        "?q=key",
        "/key/rss",
        "/a1/b2/c3/d4/e5/f6/g7/h8/i9",
    ),
]
_SECRET_FEEDS = [
    *(
        "?apikey=1",
        "?x_token=1",
        "?X-Amz-Signature=1",
        "?authKey=1",
        "?a=1&key=2",
        "?auth=1",
        "?sid=1",
        "#access_token=1",
    ),
    *("?u=abcdefghij0123456789", "/0123456789abcdef0123/rss", "/0b8f3c1e-1111-4222-8333-444455556666", "?pw=1"),
    *("/cryptocurrencymarketsnewsdaily", "?q=1a2b3c4d5e6f", "?q=1a2b3c4d-5e6f7a8b-9c0d1e2f", "?session_id=1", "?sig=1"),
    *("/abcdEFGH1234.xml", "?privateKey=1", "?access-key=1", "?api.key=1", "?my.pass=1"),
]


def test_feed_is_refused_if_the_processes_would_mask_a_part_of_it():
    """The chart and the processes have the same opinion of what is secret in a URL."""
    feeds = [f"https://news.example.com{rest}" for rest in [*_PUBLIC_FEEDS, *_SECRET_FEEDS]]
    feeds += ["https://0123456789abcdef.example.com/rss", "https://a:b@news.example.com/rss", *Settings().rss_feeds]
    secret = [feed for feed in feeds if has_secret(feed)]
    assert len(secret) == len(_SECRET_FEEDS) + 2
    accepted = [feed for feed in feeds if feed not in secret]
    assert render({"settings": {"FINANCEHUB_RSS_FEEDS": ",".join(accepted)}}).documents
    for feed in secret:
        values = {"settings": {"FINANCEHUB_RSS_FEEDS": f"{_FEED},{feed}"}}
        assert "a user, a password or a token" in refusal(values), feed


#: Values with which the chart sets every variable that it can set.
_ALL_VARIABLES = {
    "simulator": {"enabled": True},
    "providerKeys": {"existingSecret": "keys"},
    "tiers": {"low": {"autoscaling": {"minReplicas": 0}}},
    "autoscaling": {"mode": "keda"},
}


def test_settings_with_a_variable_of_the_chart_are_refused():
    """Users cannot set a variable that the chart sets, because one of the two values would silently win."""
    environment = render(_ALL_VARIABLES).environment("scheduler")
    assert environment.keys() > {"FINANCEHUB_RELEASE", "FINANCEHUB_MAX_WORKERS"}
    for name in environment:
        assert name in refusal(_ALL_VARIABLES | {"settings": {name: "1"}})


#: Every message of the templates, as a format string.
MESSAGES = [
    message
    for path in sorted((CHART / "templates").rglob("*.*"))
    for message in re.findall(r'\{\{-? *fail (?:\(printf )?"([^"]+)"', path.read_text(encoding="utf-8"))
]


#: These messages depend on a cluster's state. The end-to-end tests cover them.
_MESSAGES_ABOUT_THE_CLUSTER = (
    "fullnameOverride: the Redis of this release is",
    "assets: the assets of this release were a list until now",
)


def test_messages_of_the_templates_are_all_tested():
    """Every refusal message in the templates has a case in this file."""
    patterns = {
        re.sub("%[sdqv]", "(?s:.+)", re.escape(message))
        for message in MESSAGES
        if not message.startswith(_MESSAGES_ABOUT_THE_CLUSTER)
    }
    assert patterns
    for case in CASES.values():
        # A rendering takes long, so cases are left out whose message cannot be one that is still missing.
        first = case.message_parts[0].split(".")[0].split(" ")[0]
        if any(first in pattern or pattern.startswith("(?s:") for pattern in patterns):
            message = refusal(case.values, case.release)
            patterns = {pattern for pattern in patterns if not re.search(pattern, message)}
    assert patterns == set()


@pytest.mark.parametrize("message", MESSAGES)
def test_page_lists_every_refused_value(message: str):
    """docs/chart-refused-values.md lists the value that each message names, so that users can read it before."""
    value = re.sub("%s", r"[\\w.]+", re.escape(message.partition(":")[0]))
    assert re.search(rf"^\| `{value}` \|", _PAGE.read_text(encoding="utf-8"), re.MULTILINE), value
