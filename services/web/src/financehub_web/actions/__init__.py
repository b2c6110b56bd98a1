"""What an operator can do in the console: each action with its preview, its execution and its record in the audit log.

The actions call the same code as the command line: `financehub_shared.operations`, `schedules` and `broker`.
"""
