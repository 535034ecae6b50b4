"""One decision, one Kafka transaction: outputs, rows and ledger become visible together, or not at all.

Delivery: exactly once for readers that read committed. The transactional id belongs to the journal partition, so the
newest owner fences every older one; a fenced or otherwise failed owner ends itself. Blocks; used from one thread at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from confluent_kafka import KafkaError as Failure
from confluent_kafka import KafkaException, Message

from stream.domain.errors import DeliveryError
from stream.shell.kafka.plan import Decision, Plan
from stream.shell.kafka.world import World
from stream.shell.logs import logger

ATTEMPTS = 8
"""How often a decision is sent before the worker gives up; the pauses between add up to some 13 s."""
CALL = 30.0
"""Seconds that one call of the client may take; repeated while it says that this helps."""
UNPACKED = 32 * 1024 * 1024
"""Bytes of the largest record that is tried, before it is compressed; well below what the queue holds."""
QUEUE_KBYTES = 64 * 1024
"""What one partition's producer holds that is not acknowledged; with more to send it waits for the broker."""
HOPELESS = (Failure._FENCED, Failure.PRODUCER_FENCED, Failure.INVALID_PRODUCER_EPOCH, Failure.MSG_SIZE_TOO_LARGE)
"""Sending the same again cannot help."""
ROOM = 0.1
"""Seconds between two attempts to queue what the full queue would not have."""
log = logger(__name__)
T = TypeVar("T")
Report = Callable[[Failure | None, Message], None]
"""Hears what became of a record."""


def options(plan: Plan, partition: int) -> dict[str, Any]:
    """Options of the producer of one journal partition."""
    return {
        **plan.librdkafka,
        "transactional.id": plan.transactional_id(partition),
        "transaction.timeout.ms": int(plan.transaction_timeout * 1000),
        "message.timeout.ms": int(plan.transaction_timeout * 1000),
        # looked at by the client before it compresses, by the broker after it: a dead letter may be one that shrinks well
        "message.max.bytes": max(UNPACKED, plan.max_record, plan.max_state),
        "linger.ms": 0,
        "compression.type": plan.compression,
        "queue.buffering.max.kbytes": QUEUE_KBYTES,
    }


class Sink:
    """The transactional producer of one journal partition.

    Attributes:
        last: Offset of the last committed record in the state partition; None before the first.
    """

    def __init__(
        self, world: World, plan: Plan, partition: int, opened: Callable[[int], None], aborted: Callable[[int], None]
    ) -> None:
        self._world = world
        self._plan = plan
        self._partition = partition
        self._opened = opened
        self._aborted = aborted
        self._faults: list[Any] = []
        self._written = -1
        self.last: int | None = None
        self._producer = world.transactional(options(plan, partition))

    @property
    def queued(self) -> int:
        """Records that the broker has not acknowledged."""
        return len(self._producer)

    def fence(self) -> None:
        """Take the partition over: whoever owned it cannot commit any more, what he left open is aborted."""
        # all topics, to be connected to a broker by its id: the look-up of the coordinator otherwise waits half a second
        self._producer.list_topics(timeout=CALL)
        self._again(lambda: self._producer.init_transactions(CALL))

    def close(self) -> None:
        """Disconnect. What is open stays open until the next owner fences or the broker aborts it."""
        self._producer.close()

    def commit(self, decision: Decision) -> None:
        """Make the decision true. An aborted attempt is repeated with the same records.

        Raises DeliveryError or KafkaException when the outcome is unknown, cannot change, or this owner was fenced.
        """
        for attempt in range(ATTEMPTS):
            if self._attempt(decision, attempt):
                self.last = self._written
                return
            self._world.sleep(0.05 * 2**attempt)
        raise DeliveryError(f"the transaction of journal partition {self._partition} was aborted {ATTEMPTS} times")

    def _attempt(self, decision: Decision, attempt: int) -> bool:
        """True when committed, False when aborted."""
        try:
            self._send(decision, self._delivered if attempt else None)
        except KafkaException as error:
            if error.args[0].fatal() or error.args[0].code() in HOPELESS:
                raise
            self._abort(error, attempt)
            return False
        self._opened(self._partition)
        try:
            self._again(lambda: self._producer.commit_transaction(CALL))
        except KafkaException as error:
            # only the answer that it must be aborted says that nothing was committed
            if error.args[0].code() in HOPELESS or not error.args[0].txn_requires_abort():
                raise
            self._abort(error, attempt)
            return False
        return True

    def _send(self, decision: Decision, report: Report | None) -> None:
        """Begin, and return when every record of the transaction is at the broker, or has failed.

        A record that failed fails the commit, too; so reports, each of which takes the interpreter, are only asked for once
        something went wrong: they end an attempt sooner and say why.
        """
        producer, partition, topic = self._producer, self._partition, self._plan.topic
        self._faults = []
        producer.begin_transaction()
        for output in decision.outputs:
            self._produce(topic(output.topic), output.key, output.value, output.headers, report)
        self._queue([{"key": key, "value": value} for key, value in decision.rows[:-1]], report)
        # the ledger after all rows, whatever had to wait: who reads up to it has everything that belongs to it
        for name, ledger in decision.rows[-1:]:
            self._produce(self._plan.state, name, ledger, [], self._wrote_last)
        if self._flush():
            raise DeliveryError(f"records of journal partition {partition} were not acknowledged within {CALL:.0f} s")
        if self._faults:
            raise KafkaException(self._faults[0])

    def _flush(self) -> int:
        """Wait for the acknowledgements; how many are missing. Raises KafkaException when the client has failed for good."""
        try:
            return int(self._producer.flush(CALL))
        except SystemError as error:
            # the client's slip: it returns a number although it has set a fatal error, such as having been fenced
            for behind in (error.__cause__, error.__context__):
                if isinstance(behind, Failure):
                    raise KafkaException(behind) from error
                if isinstance(behind, KafkaException):
                    raise behind from error
            # the reason may be lost on the way: a client that has failed for good says so again
            self._producer.abort_transaction(CALL)
            raise

    def _produce(self, topic: str, key: bytes | None, value: bytes | None, headers: Any, report: Report | None) -> None:
        """Queue one record; waits while the queue is full."""
        while True:
            try:
                self._producer.produce(topic, value, key, self._partition, headers=headers, on_delivery=report)
                return
            except BufferError:
                self._make_room()

    def _queue(self, rows: list[dict[str, Any]], report: Report | None) -> None:
        """Queue the rows; waits while the queue is full. Raises KafkaException when the client would not have them all."""
        while rows:
            self._producer.produce_batch(self._plan.state, rows, partition=self._partition, on_delivery=report)
            rows = [row for row in rows if "_error" in row]
            for row in rows:
                if (error := row.pop("_error")).code() != Failure._QUEUE_FULL:
                    raise KafkaException(error)
            if rows:
                self._make_room()

    def _make_room(self) -> None:
        """Wait for acknowledgements. Raises KafkaException when records failed: the queue may be full of their like."""
        self._producer.poll(ROOM)
        if self._faults:
            raise KafkaException(self._faults[0])

    def _delivered(self, fault: Failure | None, _: Message) -> None:
        if fault is not None:
            self._faults.append(fault)

    def _wrote_last(self, fault: Failure | None, message: Message) -> None:
        self._delivered(fault, message)
        self._written = message.offset() or 0

    def _abort(self, error: KafkaException, attempt: int) -> None:
        at = {"topic": self._plan.state, "partition": self._partition, "offset": self.last}
        log.warning("transaction aborted", **at, code=error.args[0].name(), attempt=attempt + 1)
        self._again(lambda: self._producer.abort_transaction(CALL))
        self._aborted(self._partition)

    def _again(self, call: Callable[[], T]) -> T:
        """Repeat a call as long as the client says that this helps, at most as long as a transaction may take."""
        until = self._world.steady() + self._plan.transaction_timeout
        while True:
            try:
                return call()
            except KafkaException as error:
                if not error.args[0].retriable() or self._world.steady() > until:
                    raise
                self._world.sleep(0.05)
