"""FinanceHub's scheduler: settles each due time of the ScheduledTasks exactly once, with at most one message."""
