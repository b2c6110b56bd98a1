"""One module per benchmark; each has `run() -> list[Row]`."""
