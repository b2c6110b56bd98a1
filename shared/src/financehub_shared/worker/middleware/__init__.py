"""FinanceHub's dramatiq middleware. `worker.pipeline` lists it in order and gives the reason for each position."""
