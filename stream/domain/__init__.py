"""The words: records, events, triggers, reasons, money, days, errors.

Rule: frozen values and pure functions only; nothing here knows a file, a topic client or a pack.
"""
