"""What surrounds the engine: the source of its schedules, and what shows its work to others.

For schedules from a folder, everything is in the engine's process. For those of a cluster, it is in a companion
process, so that neither the watch nor statuses nor the HTTP server can delay a due run.
"""
