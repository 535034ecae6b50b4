"""Kafka: its clients, its topics, and what goes in and out of them.

Rule: nothing here judges an event; the engine does.
"""
