"""The table of providers and the settings that derive from it."""

from pkgutil import resolve_name

import pytest
from pydantic import SecretStr

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.provider_specs import PROVIDERS, Dataset, ProviderSpec, default_order
from financehub_shared.core.settings import SECRET_FIELDS, load_settings, variables
from financehub_shared.market.asset_entry import read_entry

SPECS = list(PROVIDERS.values())
by_name = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)


@by_name
def test_spec_has_a_build_function_limits_and_datasets(spec: ProviderSpec):
    """Every provider's build path refers to a function, and every provider has limits and at least one dataset."""
    assert callable(resolve_name(spec.build))
    assert spec.limits
    assert spec.datasets
    assert spec.optional <= spec.datasets


@by_name
def test_settings_have_the_url_and_key_of_each_provider(spec: ProviderSpec):
    """A provider with a URL or an API key has settings for them, and no other provider does."""
    known = variables()
    prefix = f"FINANCEHUB_{spec.name.upper()}"
    assert (f"{prefix}_URL" in known) == (spec.url is not None)
    assert (f"{prefix}_API_KEY" in known) == (spec.api_key != "none")
    assert (f"{spec.name}_api_key" in SECRET_FIELDS) == (spec.api_key != "none")


@by_name
def test_settings_without_variables_have_the_default_url(spec: ProviderSpec):
    """The default URL is that of the table, and a variable replaces it."""
    settings = load_settings({})
    assert settings.provider_url(spec.name) == (spec.url.default if spec.url else None)
    assert settings.provider_api_key(spec.name) is None
    if spec.url:
        url = "http://simulator:8099/x"
        assert load_settings({f"FINANCEHUB_{spec.name}_URL".upper(): url}).provider_url(spec.name) == url


@by_name
def test_settings_read_the_api_key_of_each_provider(spec: ProviderSpec):
    """The API key is read as a secret."""
    if spec.api_key_setting:
        settings = load_settings({f"FINANCEHUB_{spec.api_key_setting.upper()}": "k3y"})
        assert settings.provider_api_key(spec.name) == SecretStr("k3y")


@pytest.mark.parametrize(
    ("dataset", "order"),
    [
        (Dataset.CRYPTO_QUOTES, ["binance", "coingecko", "kraken"]),
        (Dataset.STOCK_QUOTES, ["yahoo", "finnhub"]),
        (Dataset.BARS, ["binance", "yahoo"]),
        (Dataset.NEWS, ["rss", "gdelt"]),
    ],
)
def test_default_order_of_each_dataset_is_the_documented_one(dataset: Dataset, order: list[str]):
    """The documented provider orders are the defaults of the settings."""
    assert default_order(dataset) == order
    assert load_settings({}).provider_order(dataset) == order


def test_provider_order_with_an_optional_provider_is_accepted():
    """A provider that the default order leaves out may still be named in the setting."""
    settings = load_settings({"FINANCEHUB_BAR_PROVIDERS": "kraken, yahoo"})
    assert settings.provider_order(Dataset.BARS) == ["kraken", "yahoo"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FINANCEHUB_CRYPTO_PROVIDERS", "finnhub"),
        ("FINANCEHUB_STOCK_PROVIDERS", "kraken"),
        ("FINANCEHUB_BAR_PROVIDERS", "coingecko"),
        ("FINANCEHUB_NEWS_PROVIDERS", "yahoo"),
    ],
)
def test_provider_order_with_a_provider_of_another_dataset_is_refused(variable: str, value: str):
    """Only providers that can deliver a dataset are accepted in its order."""
    with pytest.raises(ConfigError, match=f"{variable}='{value}'"):
        load_settings({variable: value})


@by_name
def test_asset_accepts_symbols_of_providers_other_than_news(spec: ProviderSpec):
    """An asset may have its own symbol for each provider that delivers data on single assets, and for no other."""
    asset, problems = read_entry({"symbol": "BTC-USD", "type": "crypto", "providers": {spec.name: "X"}})
    if spec.datasets - {Dataset.NEWS}:
        assert asset is not None
        assert asset.provider_symbols == {spec.name: "X"}
    else:
        assert f"unknown provider '{spec.name}'" in problems[0][1]
