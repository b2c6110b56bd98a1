"""Building blocks of PromQL expressions. Every selector filters by namespace and release.

Outside Kubernetes the series do not have a namespace. `$namespace` is then `.*`, which also matches an absent label.
"""

SELECTOR = 'namespace=~"$namespace", release=~"$release"'
TIER = 'queue=~"$tier"'
COMPONENT = 'component=~"$tier"'


def series(metric: str, *matchers: str) -> str:
    """Return a metric's selector for the chosen release.

    Args:
        metric: The metric's name as scraped.
        matchers: Additional label matchers, such as `state="dead"`.
    """
    return f"{metric}{{{', '.join((SELECTOR, *matchers))}}}"


def fleet(metric: str, by: str, *matchers: str, how: str = "max") -> str:
    """Return a gauge that describes the whole release. Every scheduler serves it, so never sum it over schedulers.

    Args:
        metric: The metric's name as scraped.
        by: Labels to keep, in addition to the namespace and the release.
        matchers: Additional label matchers.
        how: Aggregation operator. Use `min` if the lowest value is the critical one.
    """
    return f"{how} by (namespace, release, {by}) ({series(metric, *matchers)})"


def per_minute(metric: str, by: str, *matchers: str) -> str:
    """Return events per minute. Tasks run every few minutes, so per-second rates would all be close to zero."""
    return f"60 * {rate(metric, by, *matchers)}"


def rate(metric: str, by: str, *matchers: str) -> str:
    """Return the sum of the per-second rates of a counter."""
    return f"sum by ({by}) (rate({series(metric, *matchers)}[$__rate_interval]))"


def increase(metric: str, by: str, *matchers: str) -> str:
    """Return the number of events within the dashboard's time range."""
    return f"sum by ({by}) (increase({series(metric, *matchers)}[$__range]))"


def quantile(rank: float, histogram: str, by: str, *matchers: str) -> str:
    """Return a histogram's quantile by labels."""
    return f"histogram_quantile({rank}, {rate(f'{histogram}_bucket', join('le', by), *matchers)})"


def quantile_of_range(rank: float, histogram: str, by: str, *matchers: str) -> str:
    """Return the quantile of all of a histogram's observations within the dashboard's time range."""
    return f"histogram_quantile({rank}, {increase(f'{histogram}_bucket', join('le', by), *matchers)})"


def named(label: str, **expressions: str) -> str:
    """Combine several series in one expression and distinguish them by a label. Some of them may be absent.

    Args:
        label: Name of the label.
        expressions: Value of the label → expression. Underscores become spaces.
    """
    return " or ".join(
        f'label_replace({expression}, "{label}", "{value.replace("_", " ")}", "", "")'
        for value, expression in expressions.items()
    )


def join(*labels: str) -> str:
    """Join labels with commas and leave out the empty ones."""
    return ", ".join(label for label in labels if label)
