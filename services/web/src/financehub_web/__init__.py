"""The console and the read API of FinanceHub. The process keeps no state, so any number of them can run."""
