"""The benchmarks. Each module has a function `run() -> list[Row]`."""
