"""Due times of schedules: cron expressions, intervals and exchange calendars, for the scheduler and its readers."""
