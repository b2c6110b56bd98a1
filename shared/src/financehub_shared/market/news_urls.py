"""Identifies articles by canonical URLs and stable ids. Pure."""

import hashlib
import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

#: Query parameters that track readers and do not select an article.
_TRACKING = re.compile(
    r"^(utm_.*|at_(medium|campaign|link.*)|fbclid|gclid|dclid|msclkid|yclid|igshid|mc_[ce]id|cmpid|ncid|guccounter"
    r"|guce_.*|_ga|\.?tsrc|ocid|mod|ref|rss|xtor|ftag|intcid|icid|echobox)$"
)
#: Parameters whose long random value identifies a visit. A short value may select an article (`article.php?sid=12`).
_SESSION = re.compile(r"^((asp)?(j|php)?sess(ion)?(_?id)?.*|sid|s_id|cfid|cftoken|visit(or)?_?id)$")
_RANDOM = re.compile(r"^(?=.*\d)[\w!.-]{16,}$")
_SESSION_PATH = re.compile(r";(jsessionid|sid|phpsessid)=[^/;]*", re.IGNORECASE)
#: Fragments that name a part of a page, or how the reader came to it. All other fragments may select an article.
_PART = re.compile(
    r"^(comments?([-_]?\d+)?|comment-form|respond|disqus_thread|more(-\d+)?|top|main(-content)?|content|article"
    r"|rss.*|feed|tk\..*|:~:.*|sthash\..*|\.[\w-]{6,})?$",
    re.IGNORECASE,
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def canonical_url(url: str) -> str:
    """Return the same URL for all links to an article.

    The host is in lower case, the query is sorted, and tracking and session parameters are removed.

    A fragment stays unless it is known to select nothing, because some feeds list the articles of a single page.

    Args:
        url: The link as the feed contains it.

    Raises:
        ValueError: The link is not an http(s) URL with a host.
    """
    parts = urlsplit(url.strip())
    scheme, host = parts.scheme.lower(), (parts.hostname or "").rstrip(".")
    if scheme not in _DEFAULT_PORTS or not host:
        raise ValueError(f"{url[:200]!r} is not an http(s) URL with a host")
    if ":" in host:
        host = f"[{host}]"
    port = "" if parts.port in {None, _DEFAULT_PORTS[scheme]} else f":{parts.port}"
    path = _SESSION_PATH.sub("", parts.path).rstrip("/") or "/"
    return urlunsplit((scheme, f"{host}{port}", path, _selecting(parts.query), _fragment(parts.fragment)))


def is_start_page(url: str) -> bool:
    """Whether a canonical URL is a site's start page, which is not the address of an article."""
    parts = urlsplit(url)
    return parts.path in {"", "/"} and not parts.query and not parts.fragment


def _selecting(query: str) -> str:
    """Return a query without tracking and session parameters, sorted."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode(sorted((name, value) for name, value in pairs if _selects(name.lower(), value)))


def _selects(name: str, value: str) -> bool:
    return not _TRACKING.match(name) and not (_SESSION.match(name) and _RANDOM.match(value))


def _fragment(fragment: str) -> str:
    """Return a fragment, or an empty string if it does not select an article. A path (`!/news/5`) always does so."""
    name, equals, value = fragment.partition("=")
    is_parameter = bool(equals) and "/" not in name
    selects = not _PART.match(fragment) and not (is_parameter and not _selects(name.lower(), value))
    return fragment if selects else ""


def news_id(url: str, title: str = "") -> str:
    """Return an article's stable id.

    The id consists of the first 24 hex digits of the SHA-256 hash of the canonical URL. `http` counts as `https`.

    Args:
        url: The link to the article.
        title: Title of the article if the link leads to several articles. Otherwise empty.

    Raises:
        ValueError: The link is not an http(s) URL with a host.
    """
    _, _, rest = canonical_url(url).partition("://")
    return hashlib.sha256(f"{rest} {title}".encode() if title else rest.encode()).hexdigest()[:24]
