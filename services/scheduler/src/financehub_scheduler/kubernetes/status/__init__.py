"""What `kubectl get st` shows: status of ScheduledTasks, written by the holder of a Lease."""
