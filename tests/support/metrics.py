"""Parses the content of a scrape."""

import re

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from support.metric_catalog import COMMON_LABELS

_COMMON = re.compile(r'(?:component|release)="[^"]*",?')


def labels_of(family: Metric) -> frozenset[str]:
    """Return the labels of a family's samples, without the common labels and the label of buckets."""
    return frozenset({label for sample in family.samples for label in sample.labels} - {"le"} - COMMON_LABELS)


def families(scrape: str) -> dict[str, Metric]:
    """Return the FinanceHub families of a scrape by name, without those of the process collector."""
    return {
        family.name: family
        for family in text_string_to_metric_families(scrape)
        if family.name.startswith("financehub_")
    }


def lines(scrape: str) -> set[str]:
    """Return the sample lines of a scrape, without the two labels that every series has."""
    stripped = (_COMMON.sub("", line).replace(",}", "}").replace("{}", "") for line in scrape.splitlines())
    return {line for line in stripped if not line.startswith("#")}


def nonzero_metrics(scrape: str) -> set[str]:
    """Return the names of the metrics with a sample above 0. For a histogram, only its count is considered."""
    return {
        family.name
        for family in text_string_to_metric_families(scrape)
        for sample in family.samples
        if sample.value > 0 and (family.type != "histogram" or sample.name.endswith("_count"))
    }
