"""One module per upstream."""
