"""FinanceHub's error classes. An error's class decides what the caller does next.

Code translates library exceptions into these classes where they occur (`raise ... from error`).
"""

from collections.abc import Sequence
from typing import ClassVar


class FinanceHubError(Exception):
    """Base class of every error that FinanceHub raises deliberately."""


class ConfigError(FinanceHubError):
    """A setting, file or command-line option is invalid. The process prints this one line and exits with code 2."""


class UnknownNameError(ConfigError):
    """A user named something that does not exist, such as an asset or a task.

    Args:
        kind: Kind of object that the name identifies, such as `symbol`.
        name: The name that the user wrote.
        near: Names that the user may have meant, best first.
        hint: What the message says if there are none.
    """

    def __init__(self, kind: str, name: str, near: Sequence[str] = (), *, hint: str = "") -> None:
        advice = f"did you mean {' or '.join(near)}?" if near else hint
        super().__init__(f"unknown {kind} {name!r}; {advice}")
        self.kind = kind
        self.name = name
        self.near = list(near)


class InvalidArgumentsError(FinanceHubError):
    """A task was called with invalid arguments. A retry cannot help.

    Args:
        task: Name of the task.
        field: The invalid argument, dotted if it is nested (`symbols.0`).
        problem: The problem and the allowed values.
    """

    def __init__(self, task: str, field: str, problem: str) -> None:
        super().__init__(f"{task}: argument {field!r}: {problem}")
        self.task = task
        self.field = field
        self.problem = problem


class StoreUnavailableError(FinanceHubError):
    """Redis did not answer or refused to write. The same call may succeed later."""


class CorruptDataError(FinanceHubError):
    """A record in Redis cannot be read. It is reported and never used as data; all other records are still served.

    Args:
        key: The Redis key; for a hash field, the key, a space and the field.
        problem: What is wrong with the record.
        repair: How the record is repaired.
    """

    def __init__(self, key: str, problem: str, repair: str) -> None:
        super().__init__(f"{key}: {problem}; {repair}")
        self.key = key


class NewerRecordError(CorruptDataError):
    """A record in Redis has a value that only a newer release knows. It is kept for that release.

    Args:
        key: The Redis key; for a hash field, the key, a space and the field.
        problem: The unknown value.
        removal: How the record is removed.
    """

    def __init__(self, key: str, problem: str, removal: str) -> None:
        super().__init__(key, problem, f"a newer release wrote it, so it is kept; {removal}")


#: The reason in the error of a task whose machine reaches no upstream at all. Health checks recognize it.
NO_UPSTREAM = "this machine cannot reach any upstream; check its network, DNS and proxy"


class TaskFailedError(FinanceHubError):
    """A task obtained none of the data that it should fetch or compute. The run is retried.

    Args:
        message: The failure, with the reason for each provider.
        retry_after: Seconds until a retry can succeed, if an upstream specified them.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class FollowUpError(FinanceHubError):
    """A run succeeded, but what follows it could not be enqueued: a callback or the next message of a pipeline.

    Args:
        middleware: Class name of the middleware, such as `Pipelines`.
        problem: The reason, for example that the result is not JSON.
    """

    def __init__(self, middleware: str, problem: str) -> None:
        super().__init__(
            f"the task succeeded, but {middleware} did not enqueue the follow-ups: {problem}; correct the cause, then "
            "requeue the dead letter, which runs the task again"
        )


class ProviderError(FinanceHubError):
    """An upstream did not deliver the requested data.

    Args:
        provider: Name of the provider (`binance`).
        detail: Description of the error, without secrets.
        retry_after: Seconds for which the upstream does not accept further calls, if it specified them.
    """

    kind: ClassVar[str] = "upstream"
    #: Whether the circuit breaker counts the error. It counts faults of the upstream, but not problems with one symbol
    #: or on our side.
    trips_breaker: ClassVar[bool] = True

    def __init__(self, provider: str, detail: str, retry_after: float | None = None) -> None:
        # The description may quote an upstream, and it goes into logs, records and terminals.
        detail = detail if detail.isprintable() else ascii(detail)[1:-1]
        super().__init__(f"{provider}: {self.kind}: {detail}")
        self.provider = provider
        self.detail = detail
        self.retry_after = retry_after

    @property
    def reason(self) -> str:
        """The kind and the description, such as `not-found: unknown pair XYZUSDT`."""
        return f"{self.kind}: {self.detail}"


class ProviderTimeoutError(ProviderError):
    """The upstream did not answer within the deadline."""

    kind = "timeout"


class ConnectTimeoutError(ProviderTimeoutError):
    """The connection to the upstream was not established within the deadline."""


class RateLimitedError(ProviderError):
    """The upstream refused the call because there were too many calls (HTTP 429 or 418)."""

    kind = "rate-limited"


class QuotaExceededError(ProviderError):
    """A budget per minute, day or month is used up. If it is FinanceHub's own budget, no request was sent."""

    kind = "quota"
    trips_breaker = False


class AuthFailedError(ProviderError):
    """The upstream refused the key, cookie or crumb (HTTP 401)."""

    kind = "auth"


class BlockedError(ProviderError):
    """The upstream does not serve this IP address or country (HTTP 403 or 451, or Cloudflare error 1020)."""

    kind = "blocked"


class UpstreamError(ProviderError):
    """The upstream failed: a 5xx status, a broken connection or an error in the body."""

    kind = "upstream"


class UnreachableError(UpstreamError):
    """There is no connection to the upstream: its name was not resolved, or nothing accepted the connection."""


class NotSentError(UpstreamError):
    """Nothing was sent to the upstream: the URL or a header is invalid, or the proxy does not connect."""


class ProxyFailedError(NotSentError):
    """The proxy between this process and the upstream does not answer, or refuses to connect to the upstream."""


class CertificateError(UpstreamError):
    """The certificate of the upstream, or of whatever answered in its place, is not trusted."""


class NotFoundError(ProviderError):
    """The upstream answered, but it does not list the symbol."""

    kind = "not-found"
    trips_breaker = False


class MalformedError(ProviderError):
    """The response does not have the documented shape (HTML with status 200, NaN, truncated JSON, too large)."""

    kind = "malformed"


class StaleError(ProviderError):
    """The response is valid but too old to be used as a quote."""

    kind = "stale"
    trips_breaker = False


class BreakerOpenError(ProviderError):
    """The circuit breaker rejected the call, so no request was sent.

    `retry_after` is the time until the next probe is allowed.
    """

    kind = "breaker-open"
    trips_breaker = False
