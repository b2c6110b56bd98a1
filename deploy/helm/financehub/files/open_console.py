"""Opens the console and the API of a release, for `helm test`.

Arguments: the address of the console, `users` or `everybody`, and the seconds within which it must succeed. With users,
every answer must be the refusal of a request without one, because the test has no token.
"""

import json
import re
import sys
import time
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin
from urllib.request import ProxyHandler, Request, build_opener

#: No proxy of the environment, because the Service is in the cluster.
_OPENER = build_opener(ProxyHandler({}))


def _read(url: str) -> tuple[int, str]:
    try:
        with _OPENER.open(Request(url), timeout=10) as answer:  # noqa: S310 — the chart gives the address
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def _page_problem(base: str) -> str:
    """Return what is wrong with the first page and its style, whose address begins with the prefix."""
    status, page = _read(base + "/")
    style = re.search(r'href="([^"]*/static/console[^"]*\.css[^"]*)"', page)
    if status != 200 or style is None:
        return f"{base}/: status {status}, {page[:300]!r}"
    address = urljoin(base + "/", style[1])
    if not address.startswith(f"{base}/static/"):
        return f"{base}/: its style is at {address}, so the console has another prefix"
    status, text = _read(address)
    return "" if status == 200 else f"{address}: status {status}, {text[:300]!r}"


def _api_problem(url: str, key: str) -> str:
    """Return what is wrong with an answer that must be an object with this key."""
    status, text = _read(url)
    return "" if status == 200 and key in json.loads(text) else f"{url}: status {status}, {text[:300]!r}"


def _refusal_problem(url: str, sign: str) -> str:
    """Return what is wrong with an answer that must refuse a request without a user."""
    status, text = _read(url)
    return "" if status == 401 and sign in text else f"{url}: status {status} instead of 401, {text[:300]!r}"


def _problems(base: str, *, needs_user: bool) -> list[str]:
    quotes, health = f"{base}/api/v1/quotes?limit=1", f"{base}/api/health/"
    try:
        if needs_user:
            code = '"code":"user-required"'
            found = [
                _refusal_problem(f"{base}/", "this console needs a user"),
                _refusal_problem(quotes, code),
                _refusal_problem(health, code),
            ]
        else:
            found = [_page_problem(base), _api_problem(quotes, "data"), _api_problem(health, "status")]
    except (URLError, OSError, ValueError) as error:
        return [f"{base}: {error}"]
    return [each for each in found if each]


def _main(base: str, users: str, seconds: str) -> int:
    needs_user = users == "users"
    end = time.monotonic() + float(seconds)
    while (problems := _problems(base, needs_user=needs_user)) and time.monotonic() < end:
        time.sleep(2)
    good = "the console and the API ask for a user" if needs_user else "the console and the API answer"
    sys.stdout.write("\n".join(problems or [f"{base}: {good}"]) + "\n")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
