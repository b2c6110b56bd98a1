"""Provider settings, derived from the provider table: orders, base URLs and API keys."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, create_model

from financehub_shared.core.provider_specs import PROVIDERS, Dataset, default_order, providers_of
from financehub_shared.core.setting_types import HttpUrl, split_list

#: Dataset → name of the setting with its provider order, and the reason for the default order.
_ORDERS: Mapping[Dataset, tuple[str, str]] = {
    Dataset.CRYPTO_QUOTES: (
        "crypto_providers",
        "CoinGecko's free plan does not allow a call every two minutes, so it is not the first choice.",
    ),
    Dataset.STOCK_QUOTES: ("stock_providers", "Finnhub takes part only with an API key."),
    Dataset.BARS: ("bar_providers", "The first provider that serves an asset's kind delivers its bars."),
    Dataset.NEWS: ("news_providers", "All of them are called."),
}

#: Names of the settings that hold API keys.
API_KEY_FIELDS = tuple(field for spec in PROVIDERS.values() if (field := spec.api_key_setting))


def _fields() -> dict[str, Any]:
    """Return each setting's name → its type and default, for `create_model`."""
    fields: dict[str, Any] = {}
    for dataset, (field, description) in _ORDERS.items():
        name = Literal.__getitem__(tuple(providers_of(dataset)))
        order = Annotated[list[name], BeforeValidator(split_list)]  # type: ignore[valid-type] # known at run time only
        fields[field] = (order, Field(default_order(dataset), description=description))
    for spec in PROVIDERS.values():
        if spec.url is not None:
            url = HttpUrl if spec.url.default else HttpUrl | None
            fields[f"{spec.name}_url"] = (url, Field(spec.url.default, description=spec.url.description or None))
    for field in API_KEY_FIELDS:
        fields[field] = (SecretStr | None, None)
    return fields


if TYPE_CHECKING:
    _ProviderFields = BaseModel
else:
    # Only `Settings`, which inherits the fields, is ever validated.
    _ProviderFields = create_model("_ProviderFields", __config__=ConfigDict(defer_build=True), **_fields())


class ProviderSettings(_ProviderFields):
    """The settings of all providers. Their fields are created from the table, so read them with these methods."""

    def provider_order(self, dataset: Dataset) -> Sequence[str]:
        """Return the providers of `dataset`, first choice first."""
        field, _ = _ORDERS[dataset]
        return cast("Sequence[str]", getattr(self, field))

    def provider_url(self, provider: str) -> str | None:
        """Return a provider's base URL, or None if its setting is unset or does not exist."""
        field = PROVIDERS[provider].url_setting
        return cast("str | None", getattr(self, field)) if field else None

    def provider_api_key(self, provider: str) -> SecretStr | None:
        """Return a provider's API key, or None if its setting is unset or does not exist."""
        field = PROVIDERS[provider].api_key_setting
        return cast("SecretStr | None", getattr(self, field)) if field else None
