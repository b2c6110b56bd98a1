"""Finds the canonical spelling of symbols: `BASE-CURRENCY` for coins, and Yahoo's symbol for all other kinds."""
