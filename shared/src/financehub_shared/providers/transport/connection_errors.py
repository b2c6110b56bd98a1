"""The errors for proxies and certificates, in the same words for both clients. Pure."""

from urllib.parse import urlsplit

from financehub_shared.core.errors import CertificateError, ProviderError, ProviderTimeoutError, ProxyFailedError
from financehub_shared.core.url_secrets import MASK, looks_like_token
from financehub_shared.providers.transport.authorities import ADDING_VARIABLE
from financehub_shared.providers.transport.peer_certificate import (
    EXPIRED,
    NOT_YET_VALID,
    SELF_SIGNED,
    UNKNOWN_AUTHORITY,
    WRONG_ADDRESS,
    WRONG_HOST,
    CertificateProblem,
)
from financehub_shared.providers.transport.proxies import Proxy


def host_of(url: str) -> str:
    """Return the host of a URL, for messages, without parts that look like a token. Feeds may have such names."""
    host = urlsplit(url).hostname or "the upstream"
    return ".".join(MASK if looks_like_token(label) else label for label in host.split("."))


def proxy_refused(provider: str, proxy: Proxy, url: str, status: int) -> ProviderError:
    """Return the error for a proxy that answered CONNECT with an error status.

    Args:
        provider: Name of the provider.
        proxy: The proxy.
        url: Address that was called.
        status: HTTP status of the proxy's answer.
    """
    host = host_of(url)
    match status:
        case 407 if proxy.auth:
            problem = f"refuses the user or the password (HTTP 407); correct them in {proxy.variable}"
        case 407:
            problem = f"requires a password (HTTP 407); write http://user:password@host:port into {proxy.variable}"
        case 403 | 401 | 405:
            problem = f"refuses to connect to {host} (HTTP {status}); allow this host and its port on the proxy"
        case 502 | 503 | 504:
            problem = f"cannot reach {host} (HTTP {status}); check the DNS and the network of the proxy"
        case _:
            problem = f"does not connect to {host} (HTTP {status}); check whether {proxy.variable} names a proxy"
    return ProxyFailedError(provider, f"the proxy {proxy.url} {problem}")


def proxy_not_reached(provider: str, proxy: Proxy, *, is_resolved: bool) -> ProviderError:
    """Return the error for a proxy to which there is no connection.

    Args:
        provider: Name of the provider.
        proxy: The proxy.
        is_resolved: Whether its name has an address.
    """
    problem = "it accepts no connection" if is_resolved else f"the name {proxy.host} does not resolve"
    advice = f"start the proxy or correct {proxy.variable}" if is_resolved else f"correct {proxy.variable} or the DNS"
    return ProxyFailedError(provider, f"cannot connect to the proxy {proxy.url}: {problem}; {advice}")


def proxy_silent(provider: str, proxy: Proxy, url: str) -> ProviderError:
    """Return the error for a connection through a proxy that was not established in time."""
    return ProviderTimeoutError(
        provider, f"no connection to {host_of(url)} in time through the proxy {proxy.url}; check the proxy"
    )


def certificate_refused(
    provider: str, url: str, proxy: Proxy | None, problem: CertificateProblem | None
) -> ProviderError:
    """Return the error for a TLS connection that was refused.

    Args:
        provider: Name of the provider.
        url: Address that was called.
        proxy: Proxy of the connection, if there is one.
        problem: What is wrong with the certificate. None if it is unknown.
    """
    host = host_of(url)
    if problem is None:
        return CertificateError(
            provider, f"no TLS connection to {host}; check whether a proxy or firewall between answers instead of it"
        )
    issuer = f"{problem.issuer!r}" if problem.issuer else "an issuer without a name"
    by = f"(issued by {issuer})"
    on_path = "the proxy or a firewall" if proxy is not None else "a proxy or firewall"
    match problem.code:
        case code if code == SELF_SIGNED:
            what = f"is self-signed {by}; if it is right, set {ADDING_VARIABLE} to a file with this certificate"
        case code if code in UNKNOWN_AUTHORITY:
            what = (
                f"comes from an unknown authority {by}; if {on_path} inspects TLS, set {ADDING_VARIABLE} to a file "
                "with the certificate of its authority"
            )
        case code if code == EXPIRED:
            end = f" on {problem.ended_at:%Y-%m-%d %H:%M} UTC" if problem.ended_at else ""
            what = f"expired{end} {by}; renew it there, or correct the clock of this machine"
        case code if code == NOT_YET_VALID:
            what = f"is not valid yet {by}; correct the clock of this machine"
        case code if code in (WRONG_HOST, WRONG_ADDRESS):
            what = f"is for another host {by}; correct the URL, or let {on_path} pass this host unchanged"
        case _:
            what = f"is refused {by}{problem.text and ': '}{problem.text}; ask its issuer for one that clients accept"
    return CertificateError(provider, f"the certificate of {host} {what}")
