"""The canonical spelling of symbols: Yahoo's for everything that trades on an exchange, `BASE-CURRENCY` for coins."""
