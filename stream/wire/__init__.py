"""Bytes to words and back: CloudEvents in, triggers out, log lines between.

Rule: everything that knows a byte of a message is here; nothing here knows a customer's state or a pack.
"""
