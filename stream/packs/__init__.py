"""What to say and when, as data: the shape of a pack, its loader, its linter, the default pack.

Rule: a pack holds no code and no language inside strings; whatever it means is said by field names.
"""
