"""The one error taxonomy: what went wrong decides what the caller does next.

Foreign exceptions are translated where they enter (`raise ... from error`), never later.
"""

from typing import ClassVar


class FinanceHubError(Exception):
    """Root of everything FinanceHub raises on purpose."""


class ConfigError(FinanceHubError):
    """A setting, file or flag is wrong; the process ends with this one line and exit code 2."""


class InvalidArgumentsError(FinanceHubError):
    """A task was called with arguments its model refuses; retrying cannot help.

    Args:
        task: the actor's name.
        field: the argument at fault, dotted for a nested one (`symbols.0`).
        problem: what is wrong and what is allowed.
    """

    def __init__(self, task: str, field: str, problem: str) -> None:
        super().__init__(f"{task}: argument {field!r}: {problem}")
        self.task = task
        self.field = field
        self.problem = problem


class StoreUnavailableError(FinanceHubError):
    """Redis did not answer, or refused to write; the same call may work later."""


class CorruptDataError(FinanceHubError):
    """What is stored under a key cannot be read; it is never passed on as data.

    Args:
        key: the Redis key, with the field of a hash after a space.
        problem: what is wrong with it.
    """

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}; delete it, and the next run fetches or computes it again")
        self.key = key


class TaskFailedError(FinanceHubError):
    """A task reached nothing of what it was asked for; it is retried.

    Args:
        message: what failed, with the reason per provider.
        retry_after: seconds until a retry can succeed, where an upstream said so.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ProviderError(FinanceHubError):
    """An upstream did not deliver.

    Args:
        provider: the adapter's name (`binance`).
        detail: what was seen, free of secrets.
        retry_after: seconds the upstream asks us to stay away, where it said so.
    """

    kind: ClassVar[str] = "upstream"
    #: Whether the circuit breaker counts it: a failure of the upstream's health, not of one symbol or of ours.
    trips_breaker: ClassVar[bool] = True

    def __init__(self, provider: str, detail: str, retry_after: float | None = None) -> None:
        super().__init__(f"{provider}: {self.kind}: {detail}")
        self.provider = provider
        self.detail = detail
        self.retry_after = retry_after


class ProviderTimeoutError(ProviderError):
    """No answer within the deadline."""

    kind = "timeout"


class RateLimitedError(ProviderError):
    """The upstream said 'slow down' (429, 418)."""

    kind = "rate-limited"


class QuotaExceededError(ProviderError):
    """A budget per minute, day or month is used up, ours or the upstream's; nothing was sent if ours."""

    kind = "quota"
    trips_breaker = False


class AuthFailedError(ProviderError):
    """The key, cookie or crumb was refused (401)."""

    kind = "auth"


class BlockedError(ProviderError):
    """The upstream will not serve this address or country (403, 451, 1020)."""

    kind = "blocked"


class UpstreamError(ProviderError):
    """The upstream broke: a 5xx, a cut connection, an error in the body."""

    kind = "upstream"


class NotFoundError(ProviderError):
    """The upstream is well and does not know the symbol."""

    kind = "not-found"
    trips_breaker = False


class MalformedError(ProviderError):
    """The answer is not of the documented shape (HTML at 200, NaN, cut JSON, too large)."""

    kind = "malformed"


class StaleError(ProviderError):
    """The answer is right in shape and too old to be called a quote."""

    kind = "stale"
    trips_breaker = False


class BreakerOpenError(ProviderError):
    """The circuit breaker rejected the call; nothing was sent. `retry_after` is when a probe may go."""

    kind = "breaker-open"
    trips_breaker = False
