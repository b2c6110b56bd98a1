"""All dramatiq middleware of FinanceHub. `worker.pipeline` lists it in order and gives the reason for each place."""
