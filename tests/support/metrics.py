"""The content of a scrape, and which of its metrics have changed."""

import re

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from support.catalogue import COMMON_LABELS

_COMMON = re.compile(r'(?:component|release)="[^"]*",?')


def labels_of(family: Metric) -> frozenset[str]:
    """The labels of a family's samples, without those that every series has and the bucket's own."""
    return frozenset({label for sample in family.samples for label in sample.labels} - {"le"} - COMMON_LABELS)


def families(scrape: str) -> dict[str, Metric]:
    """Our families of a scrape by name; those of the process collector are left out."""
    return {
        family.name: family
        for family in text_string_to_metric_families(scrape)
        if family.name.startswith("financehub_")
    }


def lines(scrape: str) -> set[str]:
    """The sample lines of a scrape without the two labels that every series has."""
    stripped = (_COMMON.sub("", line).replace(",}", "}").replace("{}", "") for line in scrape.splitlines())
    return {line for line in stripped if not line.startswith("#")}


def moved(scrape: str) -> set[str]:
    """Names of the metrics with a sample above 0; for a histogram its count decides."""
    return {
        family.name
        for family in text_string_to_metric_families(scrape)
        for sample in family.samples
        if sample.value > 0 and (family.type != "histogram" or sample.name.endswith("_count"))
    }
