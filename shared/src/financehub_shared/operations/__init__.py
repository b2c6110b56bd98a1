"""What users can do to a fleet, the same from the command line and from the console.

Triggers and backfills are in `schedules`, because they are only requests to a scheduler.
"""
