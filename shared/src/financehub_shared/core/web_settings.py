"""The settings of the console and the API (services/web), which are part of `Settings`."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from financehub_shared.core.setting_types import Names, Port
from financehub_shared.core.web_addresses import HostNames, Origins


class WebSettings(BaseModel, defer_build=True):
    """Settings that only the web process uses. docs/console.md explains them together.

    Only `Settings`, which inherits the fields, is ever validated, so no validator is built for this class.
    """

    web_host: str = Field(
        "::",
        description="Address of the console and the API. `::` is all addresses, IPv4 and IPv6, because a Service and "
        "an Ingress reach the pod IP.",
    )
    web_port: Port = Field(8080, description="Port of the console and the API. 0 takes any free port.")
    web_mode: Literal["read-only", "write"] = Field(
        "read-only",
        description="In the mode `write`, users can trigger runs, requeue dead letters and change assets. It needs "
        "tokens or a user header, unless the address is a loopback address.",
    )
    web_prefix: str = Field(
        "",
        pattern=r"^(/[\w.~-]+)*$",
        description="Path under which a proxy publishes the console, such as `/financehub`. Requests may contain it "
        "or not.",
    )
    web_hosts: HostNames = Field(
        [],
        description="Host names under which the console may be opened, without ports. If there are none, a process on "
        "a loopback address accepts only loopback names, which stops DNS rebinding, and any other process accepts "
        "all.",
    )
    web_origins: Origins = Field(
        [],
        description="Origins, such as `https://app.example.com`, whose pages may read the API (CORS).",
    )
    web_tokens_file: Path | None = Field(
        None, description="A mounted file of users with their roles and the SHA-256 hashes of their tokens."
    )
    web_user_header: str = Field(
        "",
        pattern=r"^[\w-]*$",
        description="Header in which a trusted proxy names the user, such as `X-Forwarded-User`.",
    )
    web_operators: Names = Field(
        [], description="Users of the proxy who are operators; `*` for all. The others are viewers."
    )
    web_trusted_proxies: Names = Field(
        [], description="Addresses or networks (`10.0.0.0/8`) of proxies whose user header counts."
    )
    web_requests_per_second: float = Field(
        60.0,
        gt=0,
        allow_inf_nan=False,
        description="Requests per second of one client to the API, on average over 10 s, before it gets 429. A page "
        "of the console needs fewer than 10.",
    )
