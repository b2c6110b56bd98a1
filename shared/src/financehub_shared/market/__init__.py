"""Market data at rest: assets, quotes, bars, indicators, news and the quarantine, and the checks of their quality."""
