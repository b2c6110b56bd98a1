"""The link between the engine process and its companion process: what they send each other, and who starts whom.

In the engine process, `Supervisor` starts companions and `EngineEnd` exchanges the messages with them. `Intake` turns
what the companion sends into changes for the engine. `Reports` listens to the engine and collects what the companion is
to be told. In the companion, `Relay` receives that, keeps the states in `Mirror`, and tells the companion's listeners;
`companion.py` sends what the watch delivers. `wire` and `channel` are used by both.
"""
