"""Finds out why the certificate of a host is not trusted, with a connection that ends after the TLS handshake.

Neither httpx nor curl shows a certificate that it refuses, so that an error alone could not name its issuer.
"""

import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import FinanceHubError
from financehub_shared.providers.transport.der import issuer_and_end
from financehub_shared.providers.transport.egress import Egress
from financehub_shared.providers.transport.proxies import Proxy

#: Codes of OpenSSL (X509_V_ERR_…) → what is wrong with a certificate.
EXPIRED, NOT_YET_VALID, WRONG_HOST, WRONG_ADDRESS = 10, 9, 62, 64
UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21, 24, 26})
SELF_SIGNED = 18
#: A certificate that is refused stays refused for hours, and each further request would cost two more connections.
REMEMBERED_SECONDS = 60
#: Time limit of both connections. A request waits only until its own deadline, and a later one gets the result.
INSPECTION_SECONDS = 10


@dataclass(frozen=True, slots=True)
class CertificateProblem:
    """Why a certificate is not trusted.

    Args:
        code: OpenSSL's code of the problem. 0 if OpenSSL trusts the certificate.
        text: OpenSSL's description of the problem.
        issuer: Name of the authority that signed the certificate. Empty if it could not be read.
        ended_at: Time at which the certificate expires.
    """

    code: int
    text: str
    issuer: str = ""
    ended_at: datetime | None = None


class _HandshakeDoneError(FinanceHubError):
    """Ends a connection after its handshake, before a request is sent."""

    def __init__(self, certificate: bytes) -> None:
        super().__init__("the handshake is done")
        self.certificate = certificate


@dataclass(slots=True)
class _Inspection:
    """What is known about the certificate of a host.

    Args:
        started_at: Monotonic time.
        done: Is set when `problem` is known.
        problem: What is wrong with the certificate.
    """

    started_at: float
    done: threading.Event = field(default_factory=threading.Event)
    problem: CertificateProblem | None = None


class CertificateInspector:
    """Finds out what is wrong with certificates, at most once a minute for each host and proxy.

    Args:
        egress: The proxies, and the authorities that are trusted.
        clock: Clock for the time for which a problem is remembered.
    """

    def __init__(self, egress: Egress, clock: Clock) -> None:
        self._egress = egress
        self._clock = clock
        self._lock = threading.Lock()
        self._inspections: dict[tuple[str, int | None, Proxy | None], _Inspection] = {}

    def find_problem(self, url: str, seconds: float) -> CertificateProblem | None:
        """Return what is wrong with the certificate of a host. It blocks and may run in any thread.

        Requests that fail at the same time share one inspection.

        Args:
            url: Address that was called. Only its host and its port are used, and nothing is sent to them.
            seconds: Time to wait for the result.

        Returns:
            The problem. None if the host could not be reached in time, or if the failure does not concern its
            certificate.
        """
        origin = httpx.URL(url).copy_with(path="/", query=None, fragment=None)
        key = origin.host, origin.port, self._egress.proxy_for(url)
        now = self._clock.monotonic()
        with self._lock:
            inspection = self._inspections.get(key)
            if inspection is None or now >= inspection.started_at + REMEMBERED_SECONDS:
                inspection = self._inspections[key] = _Inspection(now)
                # A thread, because resolving a name has no time limit.
                threading.Thread(target=self._inspect, args=(origin, inspection), daemon=True).start()
        inspection.done.wait(seconds)
        return inspection.problem

    def _inspect(self, origin: httpx.URL, inspection: _Inspection) -> None:
        try:
            inspection.problem = _find_problem(origin, self._egress, time.monotonic() + INSPECTION_SECONDS)
        finally:
            inspection.done.set()


def _find_problem(origin: httpx.URL, egress: Egress, deadline: float) -> CertificateProblem | None:
    """Connect to a host twice, and return what is wrong with its certificate."""
    try:
        _handshake(origin, egress, egress.authorities.context, deadline)
        code, text = 0, ""
    except httpx.HTTPError as error:
        failure = verification_error(error)
        if failure is None:
            return None
        code, text = failure.verify_code, failure.verify_message
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # only to read the certificate
    try:
        certificate = _handshake(origin, egress, context, deadline)
    except httpx.HTTPError:
        return CertificateProblem(code, text)
    issuer, ended_at = issuer_and_end(certificate)
    if not code and ended_at is not None and ended_at < datetime.now(UTC):
        code = EXPIRED
    return CertificateProblem(code, text, issuer, ended_at)


def verification_error(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """Return the error of OpenSSL that caused an error, if it concerns a certificate."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error


def _handshake(origin: httpx.URL, egress: Egress, context: ssl.SSLContext, deadline: float) -> bytes:
    """Return the certificate of a host in DER format.

    Raises:
        httpx.HTTPError: There is no connection, or the time of `time.monotonic` passed the deadline.
    """
    proxy = egress.proxy_for(str(origin))
    # With a proxy that uses TLS itself, the first handshake is the one with the proxy.
    skipped = int(proxy is not None and proxy.scheme == "https")
    done = 0

    def stop(event: str, info: Mapping[str, Any]) -> None:
        nonlocal done
        # httpx applies its time limit to each step alone.
        if time.monotonic() >= deadline:
            raise httpx.ConnectTimeout("the deadline passed")
        if not event.endswith("start_tls.complete"):
            return
        done += 1
        if done > skipped:
            stream = info["return_value"]
            certificate = stream.get_extra_info("ssl_object").getpeercert(True)
            stream.close()
            raise _HandshakeDoneError(certificate or b"")

    through = None
    if proxy is not None:
        own = egress.authorities.context if skipped else None
        through = httpx.Proxy(proxy.url, auth=proxy.auth, ssl_context=own)
    timeout = max(deadline - time.monotonic(), 0.001)
    with httpx.Client(verify=context, proxy=through, trust_env=False, timeout=timeout) as client:
        try:
            client.request("HEAD", origin, extensions={"trace": stop})
        except _HandshakeDoneError as end:
            return end.certificate
    return b""
