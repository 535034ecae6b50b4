"""Event-time aggregates of one customer. Each has a naive twin in tests/properties.

Rule: a feature folds commutatively, so arrival order within the lateness bound does not matter; integers only.
"""
