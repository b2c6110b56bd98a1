"""The two formats in which a client can get the metrics.

An `Accept` header may contain any text. prometheus_client repeats the version in it as it is and fails on some of them.
"""

#: For clients that accept OpenMetrics, such as Prometheus, and for all others, such as curl and browsers.
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
TEXT = "text/plain; version=0.0.4"
_VERSIONS = {"", "1.0.0"}


def metrics_format(accept: str) -> str:
    """Return `OPENMETRICS` or `TEXT` for an `Accept` header. Both are `Accept` headers too."""
    for offer in accept.split(","):
        media_type, *parameters = (part.strip().lower() for part in offer.split(";"))
        versions = [
            value.strip(' "') for name, _, value in (each.partition("=") for each in parameters) if name == "version"
        ]
        if media_type == "application/openmetrics-text" and _VERSIONS.issuperset(versions):
            return OPENMETRICS
    return TEXT
