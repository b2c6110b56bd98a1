"""The chart accepts the values that docs/redis.md shows for Sentinels and managed services."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from financehub_shared.core.redis_url_parser import parse_redis_url
from support.chart import render

_DOCUMENT = Path(__file__).parents[3] / "docs/redis.md"
_BLOCKS = re.findall(r"```yaml\n(.*?)```", _DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
EXAMPLES = [example for block in _BLOCKS for example in yaml.load_all(block, Loader=yaml.CSafeLoader)]


def test_document_has_examples() -> None:
    """The document has an example with Sentinels and one for each managed service that is expected to work."""
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("values", EXAMPLES, ids=lambda values: str(values["externalRedis"].get("host", "Sentinels")))
def test_chart_accepts_the_example(values: dict[str, Any]) -> None:
    """Each example is accepted, also with KEDA. Processes connect to the server that it names, with its TLS."""
    manifests = render(values | {"autoscaling": {"mode": "keda"}})
    url = parse_redis_url(manifests.one("ConfigMap", "financehub-settings")["data"]["REDIS_URL"])
    external = values["externalRedis"]
    assert [host for host, _ in url.hosts] == (
        [external["host"]] if "host" in external else external["sentinel"]["nodes"]
    )
    assert (url.tls is not None) is external.get("tls", {}).get("enabled", False)
    assert url.login.username == external.get("username")
