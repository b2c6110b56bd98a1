"""Tests of the settings that point FinanceHub at a simulator."""

import pytest

from financehub_shared.core.provider_specs import PROVIDERS, Dataset, ProviderSpec
from financehub_shared.core.settings import load_settings
from financehub_simulator.client_settings import settings_for
from financehub_simulator.upstreams.table import UPSTREAM_ROWS

BASE_URL = "http://127.0.0.1:8099"


def test_settings_for_a_url_use_the_simulator_and_its_feeds():
    """The settings are valid, mark the data as simulated and replace the feeds."""
    settings = load_settings(settings_for(f"{BASE_URL}/"))
    assert settings.simulated
    assert settings.rss_feeds[0] == f"{BASE_URL}/rss/yahoo"
    assert len(settings.rss_feeds) == 5


@pytest.mark.parametrize("spec", PROVIDERS.values(), ids=lambda spec: spec.name)
def test_settings_for_a_url_replace_the_upstream_of_every_provider(spec: ProviderSpec):
    """No provider calls its real upstream. A provider that requires an API key gets one and is therefore active."""
    settings = load_settings(settings_for(BASE_URL))
    row = {row.name: row for row in UPSTREAM_ROWS}[spec.name]
    assert settings.provider_url(spec.name) == (f"{BASE_URL}/{spec.name}" if spec.url else None)
    assert (settings.provider_api_key(spec.name) is not None) == (spec.api_key == "required")
    assert row.serves_quotes == bool(spec.datasets & {Dataset.CRYPTO_QUOTES, Dataset.STOCK_QUOTES})
