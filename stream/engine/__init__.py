"""The engine: journal records in, decisions out.

Rule: pure. The same records give the same decisions, byte for byte, in chunks of any size, after any restart.
Read `step` first; `partition` keeps a journal partition's rows and timers around it; `binding` gives a pack meaning.
"""
