"""Tests that the proxies of the environment, which are meant for providers, do not affect the Kubernetes API."""

import kopf
import pytest
from kubernetes.aio.client import Configuration

from financehub_scheduler.kubernetes.client.connection import Connection
from support.egress_lab import Site
from support.redis_server import free_port


async def test_session_with_proxies_in_the_environment_connects_directly(monkeypatch: pytest.MonkeyPatch):
    """A request to the API server does not use a proxy, whichever variable names one."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with Site(None) as server:
        configuration = Configuration()
        connection = Connection(configuration, "default")
        async with connection.session() as session, session.get(f"http://127.0.0.1:{server.port}/api") as answer:
            assert answer.status == 200
    assert server.requests == ["GET /api HTTP/1.1"]


def test_watches_of_kopf_use_no_proxy():
    """kopf, which watches resources, reads the variables of proxies only if it is told to."""
    assert kopf.OperatorSettings().networking.trust_env is False
