"""Tests that every text of the values stays a text, although YAML would read it as a number, a boolean or a date."""

import re
from functools import cache
from typing import Any

import pytest

from support.chart import Document, render
from support.chart_values import choice, merged
from support.value_places import Place, accepts, dotted, filled, places

#: Texts that a YAML reader of version 1.1 or 1.2 reads as another type if they are not quoted.
WORDS = (
    *("1234", "7e5", "0x1f", "012", "0o17", "1.5", "true", "null", "on", "y"),
    *("1_000", "1:30", "2020-01-01", ".inf", "~", "NO", "+1"),
    *("a: b", "c #d", "- e", "*f", "'", '"', "{{ .Values }}", "@j", "[k]", "l\nm", " n ", "|"),
)
#: A text that occurs nowhere else, which every reader reads as a text.
PLAIN = "qzqzq"
#: Places whose texts have a meaning, so that most words are refused or change what is rendered. Other tests set them.
_WITH_MEANING = (
    *(
        "(name|fullname)Override",
        ".*[.]digest",
        ".*[.]resources[.].*",
        ".*[.]maxUnavailable",
        ".*[.]serviceAccount[.]name",
    ),
    *("tiers[.].*", "tierDefaults[.](module|queue)", "schedules[.].*", "scheduler[.]namespaces[.]0", "assets[.].*"),
    # The form of a pull Secret as an object, beside that as a name.
    *("image[.]pullSecrets[.]0[.]name", "global[.]imagePullSecrets[.]0[.]name"),
    # Whole objects of the user.
    "extraObjects[.].*",
    *(
        "externalRedis[.](url|urlKey|host|username|sentinel[.].*)",
        "redis[.](memory|cpu|persistence[.]size)",
        "egress[.].*",
    ),
    *("web[.](prefix|hosts[.]0|origins[.]0)", "web[.]auth[.](userHeader|trustedProxies[.]0)", "web[.]httpRoute[.].*"),
    *("web[.]service[.]loadBalancerSourceRanges[.]0", "web[.]ingress[.]hosts[.].*"),
    *("metrics[.]podMonitor[.](interval|scrapeTimeout)", "metrics[.]prometheusRule[.](runbookUrl|ruleLabels[.].*)"),
    "metrics[.]prometheusRule[.](overrides|additionalGroups)[.].*",
)
_EVERYTHING = choice(
    web="for operators", simulator="on", keys="given", rules="plain", dashboards="operator", metrics="monitor"
)
_EXTERNAL = {
    "autoscaling": {"mode": "keda"},
    "redis": {"enabled": False},
    "externalRedis": {"host": "cache.example", "tls": {"enabled": True}},
}
BASES = {"embedded Redis": _EVERYTHING, "external Redis": _EXTERNAL}
#: Values that belong to a part of the release, by the base without this part.
_WITHOUT = {"embedded Redis": ("externalRedis",), "external Redis": ("redis", "simulator", "web")}


def _chosen(base: str, word: str) -> list[Place]:
    return [
        place
        for place, node in places().items()
        if accepts(node, word)
        and ("*" not in place or re.fullmatch("[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", word))
        and place[0] not in _WITHOUT[base]
        and not any(re.fullmatch(each, dotted(place)) for each in _WITH_MEANING)
    ]


def _plain(value: object, word: str) -> Any:
    """Return a document with a word in place of each plain text, and without checksums."""
    if isinstance(value, dict):
        pairs = {key: each for key, each in value.items() if not key.startswith("checksum/")}
        return {_plain(key, word): _plain(each, word) for key, each in pairs.items()}
    if isinstance(value, list):
        found = [_plain(each, word) for each in value]
        # The order of some arguments is that of keys.
        return sorted(found) if all(isinstance(each, str) for each in found) else found
    # Lists in a text, such as the maximum number of workers by queue, also have the order of keys.
    return ",".join(sorted(value.replace(PLAIN, word).split(","))) if isinstance(value, str) else value


def _documents(values: dict[str, Any], **names: str) -> dict[str, Document]:
    found = render(values, **names).documents
    return {f"{each['kind']} {each['metadata']['name']} {each['metadata'].get('namespace')}": each for each in found}


@cache
def _rendered(base: str, chosen: tuple[Place, ...], text: str) -> dict[str, Document]:
    return _documents(merged(BASES[base], filled([*chosen], text)))


def _differences(before: object, after: object, path: str = "") -> list[str]:
    if type(before) is not type(after):
        return [f"{path}: {before!r} became {after!r}"]
    if isinstance(before, dict) and isinstance(after, dict):
        keys = {*map(repr, before)} ^ {*map(repr, after)}
        common = before.keys() & after.keys()
        return [f"{path}: {key}" for key in keys] + [
            found for key in common for found in _differences(before[key], after[key], f"{path}.{key}")
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [
            found for index, each in enumerate(before) for found in _differences(each, after[index], f"{path}.{index}")
        ]
    return [] if before == after else [f"{path}: {before!r} became {after!r}"]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("word", WORDS)
def test_text_of_any_value_is_printed_as_the_same_text(word: str, base: str):
    """A word that YAML reads as another type replaces a plain text wherever it is printed, and changes nothing else.

    The word is set at all places that accept it at once, and is the key of each map with free keys.
    """
    chosen = _chosen(base, word)
    assert chosen
    before, after = (_rendered(base, tuple(chosen), text) for text in (PLAIN, word))
    swapped = {key.replace(PLAIN, word): _plain(each, word) for key, each in before.items()}
    assert _differences(swapped, {key: _plain(each, word) for key, each in after.items()}) == []


@pytest.mark.parametrize("word", [each for each in WORDS if re.fullmatch("[a-z0-9]+", each)])
def test_names_of_releases_namespaces_and_schedules_stay_text(word: str):
    """A release, a namespace and a schedule may have any name that Kubernetes accepts."""

    def documents(name: str) -> dict[str, Document]:
        schedule = {"annotations": {name: name}, "spec": {"task": "fetch_news_task", "schedule": "@hourly"}}
        values = {"fullnameOverride": "prices", "schedules": {name: schedule}, "scheduler": {"namespaces": [name]}}
        return _documents(merged(_EVERYTHING, values), release=name, namespace=name)

    swapped = {key.replace(PLAIN, word): _plain(each, word) for key, each in documents(PLAIN).items()}
    assert _differences(swapped, {key: _plain(each, word) for key, each in documents(word).items()}) == []


@pytest.mark.parametrize("word", ["on", "null", "true", "y", "no", "e5"])
@pytest.mark.parametrize("mode", ["keda", "hpa"])
def test_names_of_tiers_and_queues_stay_text(word: str, mode: str):
    """A tier and its queue may have a name that YAML reads as a boolean or as null, also without any pods."""

    def documents(name: str) -> dict[str, Document]:
        scaling = {"minReplicas": 0 if mode == "keda" else 1}
        tier = {"image": {"repository": name}, "module": name, "queue": name, "autoscaling": scaling}
        return _documents({"autoscaling": {"mode": mode}, "tiers": {name: tier}})

    swapped = {key.replace(PLAIN, word): _plain(each, word) for key, each in documents(PLAIN).items()}
    assert _differences(swapped, {key: _plain(each, word) for key, each in documents(word).items()}) == []


def test_large_numbers_are_printed_as_integers():
    """A number of seven digits is not printed with an exponent, which Kubernetes refuses for an integer."""
    large = 3_600_000
    scaling = {"targetMessages": large, "targetAgeSeconds": large}
    tier = {"shutdownTimeoutSeconds": 86_400, "terminationGracePeriodSeconds": large, "autoscaling": scaling}
    manifests = render({"autoscaling": {"mode": "keda"}, "tiers": {"high": tier}})
    spec = manifests.deployment("high")["spec"]["template"]["spec"]
    assert repr(spec["terminationGracePeriodSeconds"]) == "3600000"
    assert "--worker-shutdown-timeout=86400000" in spec["containers"][0]["command"]
    scaled = manifests.one("ScaledObject", "financehub-high")["spec"]
    assert repr(scaled["cooldownPeriod"]) == "3600015"
    assert scaled["triggers"][0]["metadata"]["listLength"] == "3600000"
    assert scaled["triggers"][2]["metadata"]["targetValue"] == "3600000"


def test_places_with_a_meaning_exist():
    """Each pattern of excluded places still matches a place of the values."""
    known = [dotted(place) for place in places()]
    assert [each for each in _WITH_MEANING if not any(re.fullmatch(each, place) for place in known)] == []
