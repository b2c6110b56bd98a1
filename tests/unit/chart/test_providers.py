"""Tests that the chart gets every fact about providers from the provider table, through generated files.

After adding a provider, run `make manifests`. No hand-written file of the chart changes.
"""

import re
from typing import Any

import pytest
import yaml

from financehub_shared.core.provider_specs import PROVIDERS, Dataset
from financehub_simulator.client_settings import settings_for
from support.chart import CHART, refusal, render

TEMPLATES = sorted(path for path in (CHART / "templates").rglob("*") if path.is_file())
SPECS = list(PROVIDERS.values())
URL_VARIABLES = [f"FINANCEHUB_{spec.url_setting.upper()}" for spec in SPECS if spec.url_setting]
API_KEY_VARIABLES = [f"FINANCEHUB_{spec.api_key_setting.upper()}" for spec in SPECS if spec.api_key_setting]
SIMULATED: dict[str, Any] = {"simulator": {"enabled": True}}
#: A provider name, except in the path of a simulator feed and in the name of the setting with the feeds.
_PROVIDER_NAME = re.compile(rf"(?<!/rss/)(?<![A-Za-z])({'|'.join(PROVIDERS)})(?!/|_FEEDS|[A-Za-z])", re.IGNORECASE)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_contain_no_provider_names(path: Any):
    """No template names a provider, so that a new provider does not require a template change."""
    assert _PROVIDER_NAME.findall(path.read_text(encoding="utf-8")) == []


def test_values_outside_of_assets_contain_no_provider_names():
    """Among the default values, only the symbols of assets refer to providers."""
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    del values["assets"]
    assert _PROVIDER_NAME.findall(yaml.safe_dump(values)) == []


@pytest.mark.parametrize("variable", URL_VARIABLES)
def test_simulator_replaces_the_url_of_every_provider(variable: str):
    """With the simulator, the chart sets each provider's base URL and refuses another one in `settings`."""
    environment = render(SIMULATED).environment("high")
    assert environment[variable] == settings_for("http://financehub-simulator:8099")[variable]
    assert f"settings.{variable}" in refusal(SIMULATED | {"settings": {variable: "https://example.org"}})
    assert (
        render({"settings": {variable: "https://example.org"}}).environment("high")[variable] == "https://example.org"
    )


@pytest.mark.parametrize("variable", API_KEY_VARIABLES)
def test_settings_with_an_api_key_are_refused(variable: str):
    """Settings are in a ConfigMap, so the chart refuses every provider's API key there."""
    message = refusal({"settings": {variable: "d3adb33f"}})
    assert f"settings.{variable}" in message
    assert "providerKeys.existingSecret" in message


def test_simulator_sets_the_required_api_keys():
    """With the simulator, each provider that requires an API key gets a fake one, and no other provider gets one."""
    environment = render(SIMULATED).environment("high")
    required = {spec.api_key_setting for spec in SPECS if spec.api_key == "required"}
    assert {name.removeprefix("FINANCEHUB_").lower() for name in environment.keys() & {*API_KEY_VARIABLES}} == required


@pytest.mark.parametrize("name", PROVIDERS)
def test_assets_accept_a_symbol_of_every_provider_but_news(name: str):
    """An asset may have its own symbol for each provider that delivers data on single assets, and for no other."""
    values = {"assets": [{"symbol": "BTC-USD", "type": "crypto", "providers": {name: "x"}}]}
    if PROVIDERS[name].datasets - {Dataset.NEWS}:
        assert render(values).has("ConfigMap", "financehub-assets")
    else:
        assert name in refusal(values)
