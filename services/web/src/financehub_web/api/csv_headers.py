"""Headers with what a CSV answer has no place for: the address of the next page, and what is missing."""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from financehub_web.api.bodies import Body

#: Name of the header with the warnings.
WARNINGS = "X-Warnings"
#: Characters of that header. Proxies refuse answers whose headers have more than 4,000 or 8,000 together.
MOST_CHARACTERS = 2_000
#: Characters that the sentence about the warnings that were left out may take.
_REST_CHARACTERS = 100


def encode_warnings(warnings: Sequence[str]) -> str:
    """Return warnings as a JSON list in ASCII, which is safe in a header; empty if there are none.

    The last element says how many warnings were left out, if they are too long together.

    Args:
        warnings: The warnings.
    """
    if not warnings:
        return ""
    kept: list[str] = []
    characters = _REST_CHARACTERS
    for warning in warnings:
        characters += len(_dump(warning)) + 2
        if characters > MOST_CHARACTERS:
            kept.append(f"{len(warnings) - len(kept):,} more; the JSON answer has all warnings")
            break
        kept.append(warning)
    return _dump(kept)


def csv_headers(body: Body, parameters: QueryParams) -> Mapping[str, str]:
    """Return the headers of a CSV answer that say how it goes on and what is missing; none for other answers.

    The address of the next page has neither a host nor a path, because only a proxy may know them.

    Args:
        body: The encoded answer.
        parameters: The query parameters of the request.
    """
    headers = {}
    if body.next_page_token is not None:
        kept = [(name, value) for name, value in parameters.multi_items() if name != "page_token"]
        headers["Link"] = f'<?{urlencode([*kept, ("page_token", body.next_page_token)], safe=",")}>; rel="next"'
    if body.warnings:
        headers[WARNINGS] = body.warnings
    return headers


def _dump(value: object) -> str:
    # JSON escapes every control character except for this one
    return json.dumps(value).replace("\x7f", "\\u007f")
