"""Setting types for the addresses of the console: host names, and origins of other pages."""

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

from financehub_shared.core.setting_types import split_list

_HOST_NAME = re.compile(r"[\w-]+(\.[\w-]+)*\.?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def _check_host_name(text: str) -> str:
    """Return a host name as it is compared with that of a request."""
    bare = text.removeprefix("[").removesuffix("]")
    try:
        return ipaddress.ip_address(bare).compressed
    except ValueError:
        pass
    if not _HOST_NAME.fullmatch(text):
        raise ValueError(f"{text!r} is not a host name such as fin.example.com, without scheme, port and path")
    return text.lower().removesuffix(".")


def _check_origin(text: str) -> str:
    """Return an origin as browsers send it (RFC 6454, section 6.2)."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    is_bare = not (parts.path or parts.query or parts.fragment or parts.username or text.endswith(("?", "#")))
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or not is_bare:
        raise ValueError(
            f"{text!r} is not an origin such as https://app.example.com: write http or https and a host, without a "
            "path and a slash at the end"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{port}")


HostNames = Annotated[list[Annotated[str, AfterValidator(_check_host_name)]], BeforeValidator(split_list)]
Origins = Annotated[list[Annotated[str, AfterValidator(_check_origin)]], BeforeValidator(split_list)]
