"""Contact policy: who may not be told what, and why.

Rule: a policy is frozen, a customer's ledger is separate; to ask (`verdicts`) costs nothing, to spend is its own call.
"""
