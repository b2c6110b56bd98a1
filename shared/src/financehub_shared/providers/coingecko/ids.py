"""CoinGecko's ids of the largest coins. For other coins, set `coingecko` under the asset's providers."""

from collections.abc import Mapping

from financehub_shared.core.models import Asset

#: Base currency of the symbol → id. An id is never reused, but a coin can change its symbol. Every answer contains the
#: current symbol of each coin.
IDS: Mapping[str, str] = {
    "AAVE": "aave",
    "ADA": "cardano",
    "ALGO": "algorand",
    "APT": "aptos",
    "ARB": "arbitrum",
    "ATOM": "cosmos",
    "AVAX": "avalanche-2",
    "BCH": "bitcoin-cash",
    "BNB": "binancecoin",
    "BTC": "bitcoin",
    "CRO": "crypto-com-chain",
    "CRV": "curve-dao-token",
    "DAI": "dai",
    "DASH": "dash",
    "DOGE": "dogecoin",
    "DOT": "polkadot",
    "ENS": "ethereum-name-service",
    "EOS": "eos",
    "ETC": "ethereum-classic",
    "ETH": "ethereum",
    "FIL": "filecoin",
    "GRT": "the-graph",
    "HBAR": "hedera-hashgraph",
    "ICP": "internet-computer",
    "IMX": "immutable-x",
    "INJ": "injective-protocol",
    "IOTA": "iota",
    "KAS": "kaspa",
    "LDO": "lido-dao",
    "LINK": "chainlink",
    "LTC": "litecoin",
    "LUNA": "terra-luna-2",
    "LUNC": "terra-luna",
    "MANA": "decentraland",
    "MKR": "maker",
    "NEAR": "near",
    "NEO": "neo",
    "OP": "optimism",
    "PEPE": "pepe",
    "POL": "polygon-ecosystem-token",
    "QNT": "quant-network",
    "RENDER": "render-token",
    "SAND": "the-sandbox",
    "SEI": "sei-network",
    "SHIB": "shiba-inu",
    "SNX": "havven",
    "SOL": "solana",
    "STX": "blockstack",
    "SUI": "sui",
    "THETA": "theta-token",
    "TIA": "celestia",
    "TON": "the-open-network",
    "TRX": "tron",
    "UNI": "uniswap",
    "USDC": "usd-coin",
    "USDT": "tether",
    "USTC": "terrausd",
    "VET": "vechain",
    "WBTC": "wrapped-bitcoin",
    "XLM": "stellar",
    "XMR": "monero",
    "XRP": "ripple",
    "XTZ": "tezos",
    "ZEC": "zcash",
}


def coin_id(asset: Asset) -> str | None:
    """Return CoinGecko's id of a coin, or None if it is unknown."""
    return asset.provider_symbols.get("coingecko") or IDS.get(asset.symbol.rpartition("-")[0])
