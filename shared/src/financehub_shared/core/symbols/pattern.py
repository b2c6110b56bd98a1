"""The form of canonical symbols."""

#: Canonical symbols: `BTC-USD`, `AAPL`, `VOD.L`, `^GSPC`, `M&M.NS`.
SYMBOL_PATTERN = r"^[A-Z0-9^][A-Z0-9.^=&_-]{0,19}$"
