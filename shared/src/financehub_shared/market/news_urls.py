"""Identifies articles by canonical URLs and stable ids. Pure."""

import hashlib
import re
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

#: Maximum length of a link in characters. Browsers and servers commonly limit URLs to between 2,000 and 8,000.
LINK_CHARACTERS_MAX = 2_000
_TOO_LONG = f"the link has more than {LINK_CHARACTERS_MAX} characters"
#: Maximum length of the name of a host (RFC 1035, 2.3.4).
_HOST_CHARACTERS_MAX = 253
#: The text between parameters if a feed escapes its links, perhaps more than once.
_ESCAPED_TWICE = re.compile("&(?:amp;)++")
#: Query parameters that track readers and do not select an article.
_TRACKING = re.compile(
    r"^(utm_.*|at_(medium|campaign|link.*)|(fb|[gdy]|tw|ms|tt)clk?id|[gw]braid|gad_source|igsh(id)?|mc_[ce]id|cmpid"
    r"|ncid|guccounter|guce_.*|_ga|_hs(enc|mi)|mkt_tok|srsltid|__twitter_impression|\.?tsrc|ocid|mod|ref|rss|xtor|ftag"
    r"|intcid|icid|echobox)$"
)
#: Tracking parameters that select an article if their value is a number (`article.php?ref=1234`).
_NUMBERED = frozenset({"mod", "ref", "rss"})
#: Parameters whose long random value identifies a visit. A short value may select an article (`article.php?sid=12`).
_SESSION = re.compile(r"^((asp)?(j|php)?sess(ion)?(_?id)?.*|sid|s_id|cfid|cftoken|visit(or)?_?id)$")
_RANDOM = re.compile(r"^(?=.*\d)(?=.*[A-Za-z])[\w!.-]{16,}$")
_SESSION_PATH = re.compile(r";(jsessionid|sid|phpsessid)=[^/;]*", re.IGNORECASE)
#: Fragments that name a part of a page, or how the reader came to it. All other fragments may select an article.
_PART = re.compile(
    r"^(comments?([-_]?\d+)?|comment-form|respond|disqus_thread|more(-\d+)?|top|main(-content)?|content|article"
    r"|rss.*|feed|tk\..*|:~:.*|sthash\..*|\.[\w-]{6,})?$",
    re.IGNORECASE,
)
#: Characters of a path that are not percent-encoded.
_PATH_CHARACTERS = "/%:@!$&'()*+,;=~[]|"
_DEFAULT_PORTS = {"http": 80, "https": 443}


def canonical_url(url: str) -> str:
    """Return the same URL for all links to an article.

    The host is in lower case and ASCII, the query is sorted, and tracking and session parameters are removed.

    A fragment stays unless it is known to select nothing, because some feeds list the articles of a single page.

    Args:
        url: The link as the feed contains it.

    Raises:
        ValueError: The link is not an http(s) URL with a host, or it is too long.
    """
    if len(url) > LINK_CHARACTERS_MAX:
        raise ValueError(_TOO_LONG)
    parts = urlsplit(_ESCAPED_TWICE.sub("&", url.strip()))
    scheme, host = parts.scheme.lower(), (parts.hostname or "").rstrip(".")
    if scheme not in _DEFAULT_PORTS or not 0 < len(host) <= _HOST_CHARACTERS_MAX:
        raise ValueError(f"{url[:200]!r} is not an http(s) URL with a host")
    host = _ascii_host(host)
    if ":" in host:
        host = f"[{host}]"
    port = "" if parts.port in {None, _DEFAULT_PORTS[scheme]} else f":{parts.port}"
    path = quote(_SESSION_PATH.sub("", parts.path).rstrip("/"), safe=_PATH_CHARACTERS) or "/"
    canonical = urlunsplit((scheme, f"{host}{port}", path, _selecting(parts.query), _fragment(parts.fragment)))
    if len(canonical) > LINK_CHARACTERS_MAX:
        raise ValueError(_TOO_LONG)
    return canonical


def is_start_page(url: str) -> bool:
    """Whether a canonical URL is a site's start page, which is not the address of an article."""
    parts = urlsplit(url)
    return parts.path in {"", "/"} and not parts.query and not parts.fragment


def _ascii_host(host: str) -> str:
    """Return a host such as `münchen.test` in Punycode."""
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return host


def _selecting(query: str) -> str:
    """Return a query without tracking and session parameters, sorted.

    Bytes that are not UTF-8 stay as they are, because some servers expect another encoding.
    """
    pairs = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
    kept = sorted((name, value) for name, value in pairs if _selects(name.lower(), value))
    text = urlencode(kept, errors="surrogateescape")
    # a name alone, such as `?12345`, stays one
    return text.removesuffix("=") if len(kept) == 1 and text not in query.split("&") else text


def _selects(name: str, value: str) -> bool:
    if _TRACKING.match(name):
        return name in _NUMBERED and value.isdecimal()
    return not (_SESSION.match(name) and _RANDOM.match(value))


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
