"""Every payload that may come in, one frozen type each (CAPABILITIES 2.2).

Rule: required is the least without which the event says nothing; all else is optional. `stream.wire.registry` maps
event types to these.
"""

from stream.wire.inputs import account, app, contact, party, txn
from stream.wire.inputs.common import BankTxCode, Counterparty, Money, Paid, Payload

__all__ = ["BankTxCode", "Counterparty", "Money", "Paid", "Payload", "account", "app", "contact", "party", "txn"]
