"""FinanceHub's scheduler: turns ScheduledTasks into exactly-once enqueues."""
