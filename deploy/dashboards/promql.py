"""Building blocks of the expressions; every selector filters by namespace and release.

Outside Kubernetes no series has a namespace: `$namespace` is then `.*`, which matches an absent label too.
"""

SELECTOR = 'namespace=~"$namespace", release=~"$release"'
TIER = 'queue=~"$tier"'
COMPONENT = 'component=~"$tier"'


def series(metric: str, *matchers: str) -> str:
    """Selector of a metric of the chosen release.

    Args:
        metric: name as scraped.
        matchers: further label matchers, such as `state="dead"`.
    """
    return f"{metric}{{{', '.join((SELECTOR, *matchers))}}}"


def fleet(metric: str, by: str, *matchers: str, how: str = "max") -> str:
    """A gauge that describes the whole release: two schedulers serve it twice, so it is never summed over them.

    Args:
        metric: name as scraped.
        by: labels to keep, besides the namespace and the release.
        matchers: further label matchers.
        how: the aggregation; `min` where the lowest value is the one to worry about.
    """
    return f"{how} by (namespace, release, {by}) ({series(metric, *matchers)})"


def per_minute(metric: str, by: str, *matchers: str) -> str:
    """Events per minute, because tasks run every few minutes and rates per second would all be close to zero."""
    return f"60 * {rate(metric, by, *matchers)}"


def rate(metric: str, by: str, *matchers: str) -> str:
    """Sum of per-second rates of a counter."""
    return f"sum by ({by}) (rate({series(metric, *matchers)}[$__rate_interval]))"


def increase(metric: str, by: str, *matchers: str) -> str:
    """Events within the time range of the dashboard."""
    return f"sum by ({by}) (increase({series(metric, *matchers)}[$__range]))"


def quantile(rank: float, histogram: str, by: str, *matchers: str) -> str:
    """Quantile of a histogram, by labels."""
    return f"histogram_quantile({rank}, {rate(f'{histogram}_bucket', join('le', by), *matchers)})"


def quantile_of_range(rank: float, histogram: str, by: str, *matchers: str) -> str:
    """Quantile of everything that a histogram observed within the time range of the dashboard."""
    return f"histogram_quantile({rank}, {increase(f'{histogram}_bucket', join('le', by), *matchers)})"


def named(label: str, **expressions: str) -> str:
    """Several series in one expression, told apart by a label; one of them may be absent.

    Args:
        label: name of the label.
        expressions: value of the label → expression; underscores become spaces.
    """
    return " or ".join(
        f'label_replace({expression}, "{label}", "{value.replace("_", " ")}", "", "")'
        for value, expression in expressions.items()
    )


def join(*labels: str) -> str:
    """A list of labels without the empty ones."""
    return ", ".join(label for label in labels if label)
