"""The ways a trigger can arise. Each is a small state machine that is told facts and asked at deadlines.

Rule: a mechanism is pure; it knows facts, days and figures, never an event type, a trigger type or a topic. Its state has
one writer: its own `tell` and `fire`. Facts at or past `due` are never told before `fire` was called for it (the engine
holds them back), so an event past a deadline cannot change what the deadline sees.
"""
