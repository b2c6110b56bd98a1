"""Stores market data (assets, quotes, bars, indicators, news and the quarantine) and checks its quality."""
