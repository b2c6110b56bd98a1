"""Masks secrets in a log line, as the last step before it is written."""

import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus
from urllib.request import getproxies

from pydantic import SecretStr

from financehub_shared.core.redis_url import RedisUrl
from financehub_shared.core.settings import Settings
from financehub_shared.core.text import dump_json, one_line, printable
from financehub_shared.core.url_secrets import MASK, SHORTEST_SECRET, mask_urls, secrets_in_url


def known_secrets(settings: Settings) -> set[str]:
    """Return every secret in the settings: the values of secret fields and the secret parts of URLs.

    The proxies of the environment (`HTTPS_PROXY`), which the HTTP client uses, are included.
    """
    secrets: set[str] = set()
    for field in type(settings).model_fields:
        value = getattr(settings, field)
        for each in value if isinstance(value, list) else [value]:
            secrets |= _secrets_of(each)
    for proxy in getproxies().values():
        secrets |= secrets_in_url(proxy if "://" in proxy else f"//{proxy}")
    return secrets


def _secrets_of(value: object) -> set[str]:
    if isinstance(value, RedisUrl):
        return set(value.secrets)
    if isinstance(value, SecretStr):
        text = value.get_secret_value()
        return secrets_in_url(text, is_secret=True) if "://" in text else {text}
    return secrets_in_url(value) if isinstance(value, str) and "://" in value else set()


def _spellings(secret: str) -> set[str]:
    """Return the forms that a secret can take in a line: plain, in JSON, in a Python repr, in a URL, and for people."""
    in_json = {json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    escaped = {dump_json(secret)[1:-1], printable(secret), one_line(secret)}
    return {secret, *in_json, *escaped, repr(secret)[1:-1], quote(secret, safe=""), quote_plus(secret)}


class Redactor:
    """Masks known secrets, users and passwords in URLs, and secrets in query strings.

    Args:
        secrets: The secret values.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        spellings = {form for secret in secrets if len(secret) >= SHORTEST_SECRET for form in _spellings(secret)}
        longest_first = sorted(spellings, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, text: str) -> str:
        """Return the text with every secret masked."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        return mask_urls(text)
