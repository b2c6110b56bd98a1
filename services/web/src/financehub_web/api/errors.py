"""The error that every module of the API raises."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from financehub_shared.core.errors import FinanceHubError


class ApiError(FinanceHubError):
    """An error that the client gets as a problem document.

    Args:
        status: The HTTP status.
        code: Kind of problem for programs, such as `unknown-symbol`.
        detail: What was wrong, and what to do.
        near: Names that the client may have meant.
        headers: Further headers of the response.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        near: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.near = list(near)
        self.headers = dict(headers or {})
