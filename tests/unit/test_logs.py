"""Laws of the log: JSON lines, known fields, no personal data, silent libraries."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import faust
import pytest
import structlog
from aiokafka.structs import TopicPartition
from faust.types import TP

from stream.domain.errors import StateError
from stream.shell import logs
from stream.shell.kafka.positions import Bounds, Committed, starts

SUBJECT = "C0000001"
PERSONAL = (SUBJECT, "13800138000", "li@bank.cn", "6222020200012345")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leaves the process's logging as it was."""
    root = logging.getLogger()
    handlers, level, hooks = list(root.handlers), root.level, (sys.excepthook, threading.excepthook)
    levels = {name: logging.getLogger(name).level for name in logs.LEVELS}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hooks
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def out() -> io.StringIO:
    stream = io.StringIO()
    logs.configure("INFO", stream)
    return stream


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def ours(root: logging.Logger) -> logging.StreamHandler[Any]:
    """The handler that `configure` made; pytest adds its own beside it."""
    (handler,) = [one for one in root.handlers if type(one) is logging.StreamHandler]
    return handler


def fail() -> None:
    """Raises with a customer in every text."""
    try:
        int(SUBJECT)
    except ValueError as error:
        raise RuntimeError(f"cannot read {PERSONAL}") from error


def test_a_line_is_one_json_object_with_its_coordinates(out: io.StringIO) -> None:
    logs.logger("stream.test", topic="in.txn", partition=3).info("record refused", offset=1187, code="NOT_JSON")

    (line,) = lines(out)
    assert list(line)[:4] == ["time", "level", "logger", "event"]
    assert line["time"].endswith("Z")
    del line["time"]
    assert line == {
        "level": "info",
        "logger": "stream.test",
        "event": "record refused",
        "topic": "in.txn",
        "partition": 3,
        "offset": 1187,
        "code": "NOT_JSON",
    }


def test_fields_that_nobody_allowed_are_withheld_and_counted() -> None:
    stream, lost = io.StringIO(), list[int]()
    logs.configure("INFO", stream, lost.append)
    logs.logger("stream.test").info("seen", subject=SUBJECT, key=SUBJECT.encode(), data={"name": "李雷"}, offset=1)

    (line,) = lines(stream)
    assert line["withheld"] == 3
    assert sum(lost) == 3
    assert SUBJECT not in stream.getvalue()
    assert line["offset"] == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("offset", SUBJECT),
        ("topic", {"id": SUBJECT}),
        ("topic", f"名字 {SUBJECT} \n"),
        ("partitions", [{"id": SUBJECT}]),
        ("stack", SUBJECT),
        ("error", ValueError(SUBJECT)),
    ],
)
def test_an_allowed_name_is_no_cover_for_another_shape(out: io.StringIO, field: str, value: object) -> None:
    logs.logger("stream.test").warning("seen", **{field: value})

    assert SUBJECT not in out.getvalue()
    assert lines(out)[0]["withheld"] == 1


def test_of_an_exception_only_types_and_places_remain(out: io.StringIO) -> None:
    try:
        fail()
    except RuntimeError:
        logs.logger("stream.test").exception("stopped")
        logging.getLogger("aiokafka.test").exception("stopped")

    for line in lines(out):
        assert line["error"] == "RuntimeError"
        assert line["caused_by"] == "ValueError"
        assert line["place"].endswith(" fail")
        assert [place.split()[-1] for place in line["stack"]][-1] == "fail"
    assert not [text for text in PERSONAL if text in out.getvalue()]
    assert "cannot read" not in out.getvalue()


def test_an_exception_given_as_a_value_is_reduced_too(out: io.StringIO) -> None:
    logs.logger("stream.test").critical("stopped", exc_info=RuntimeError(SUBJECT), exit_code=70)

    (line,) = lines(out)
    assert (line["error"], line["exit_code"], line["place"]) == ("RuntimeError", 70, "unknown")
    assert SUBJECT not in out.getvalue()


@pytest.mark.parametrize(
    ("template", "args"),
    [
        ("failed for %s", (SUBJECT,)),
        ("failed for %r", (SUBJECT.encode(),)),
        ("failed for %r of %d", ({"id": SUBJECT}, 3)),
        ("failed for %(who)s", ({"who": SUBJECT},)),
        ("failed %d", (SUBJECT,)),
        ("failed: %s", (ValueError(SUBJECT),)),
        (f"failed for '{SUBJECT}'", ()),
        (f"failed for {SUBJECT} and li@bank.cn, 13800138000", ()),
        (f"failed for b'{SUBJECT}' {{'card': '6222020200012345'}}", ()),
    ],
)
def test_what_a_library_puts_into_its_message_is_not_written(out: io.StringIO, template: str, args: tuple[object, ...]) -> None:
    record = logging.LogRecord("aiokafka.test", logging.ERROR, "x.py", 1, template, args, None)
    ours(logging.getLogger()).handle(record)

    assert lines(out)[0]["event"].startswith("failed")
    assert not [text for text in PERSONAL if text in out.getvalue()]


def test_a_library_may_say_numbers_and_partitions(out: io.StringIO) -> None:
    """Or nobody could work with its messages."""
    partition = TopicPartition("journal", 3)
    logging.getLogger("aiokafka.test").warning("lost %s at %d: %r, %s", partition, 1187, {partition}, OSError("x"))

    assert lines(out)[0]["event"] == "lost journal-3 at 1187: [journal-3], <OSError>"


def test_the_record_itself_is_left_alone(out: io.StringIO) -> None:
    """Other handlers of the same process see what the library said."""
    record = logging.LogRecord("aiokafka", logging.ERROR, "x.py", 1, "for %s", (SUBJECT,), None)
    ours(logging.getLogger()).handle(record)

    assert record.getMessage() == f"for {SUBJECT}"
    assert lines(out)[0]["event"] == "for <str>"


def test_libraries_are_quiet_and_the_root_is_not_at_debug(out: io.StringIO) -> None:
    """A root logger at DEBUG makes aiokafka build a record per send: 15 % of a worker."""
    for name in ("aiokafka.producer", "aiokafka.conn", "faust.worker", "mode.services", "kafka.client", "asyncio"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
        logging.getLogger(name).info("chatter")
    logging.getLogger("mode.timers").warning("Timer is overlapping")

    assert logging.getLogger().level == logging.WARNING
    assert logging.getLogger("stream.shell").isEnabledFor(logging.INFO)
    assert out.getvalue() == ""


def test_faust_leaves_the_levels_alone(out: io.StringIO) -> None:
    """By the option that `kairos run` gives; without it, level WARN would put the root logger to DEBUG."""
    loop = asyncio.new_event_loop()
    try:
        app = faust.App("logs", broker="memory://", loop=loop)
        worker = faust.Worker(app, loop=loop, loglevel="WARN", override_logging=False, redirect_stdouts=False)
        assert worker.override_logging is False
        loop.run_until_complete(worker.on_first_start())
    finally:
        loop.close()
        asyncio.set_event_loop(None)

    assert logging.getLogger().level == logging.WARNING
    assert ours(logging.getLogger()).stream is out


def test_a_logger_made_at_import_follows_a_later_configuration() -> None:
    early = logs.logger("stream.early", partition=3)
    stream = io.StringIO()
    logs.configure("DEBUG", stream)
    early.debug("transaction open")

    (line,) = lines(stream)
    assert (line["partition"], line["level"]) == (3, "debug")


def test_bound_context_passes_the_same_fences(out: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(partition=3, subject=SUBJECT):
        logs.logger("stream.test").info("seen")

    (line,) = lines(out)
    assert (line["partition"], line["withheld"], "subject" in line) == (3, 1, False)


def test_another_handler_sees_no_more_of_ours(out: io.StringIO, caplog: pytest.LogCaptureFixture) -> None:
    """Ours are cleaned before the standard logging gets them."""
    logging.getLogger().addHandler(caplog.handler)
    logs.logger("stream.test").info("seen", subject=SUBJECT)

    assert "seen" in caplog.text
    assert SUBJECT not in caplog.text


def test_a_terminal_gets_columns_and_the_same_fences() -> None:
    stream = Terminal()
    logs.configure("INFO", stream)
    logs.logger("stream.test", partition=3).info("seen", subject=SUBJECT)

    assert "seen" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
    assert SUBJECT not in stream.getvalue()


def test_lines_of_several_workers_say_whose_they_are() -> None:
    """A library's, too."""
    stream = io.StringIO()
    logs.configure("INFO", stream, worker=1)

    logs.logger("stream.worker").info("worker starting", port=9465)
    logging.getLogger("aiokafka").warning("heartbeat failed")

    assert [(line["event"], line["worker"]) for line in lines(stream)] == [("worker starting", 1), ("heartbeat failed", 1)]


@pytest.mark.parametrize("journal", [{}, {TP("bank1.journal", 3): 10**12}], ids=["source", "journal"])
def test_who_has_to_act_on_a_refusal_reads_all_of_it(out: io.StringIO, journal: dict[TP, int]) -> None:
    """It names a topic, positions and the way out: no word of it is withheld."""
    place = next(iter(journal), TP("bank1.in.txn", 3))
    with pytest.raises(StateError) as refused:
        starts({place: Bounds(0, 9)}, {place: Committed(10**12)}, journal)

    logs.logger("stream.test").critical("refused", reason=str(refused.value))

    assert lines(out)[0]["reason"] == str(refused.value)


def test_uncaught_exceptions_keep_their_texts_to_themselves(out: io.StringIO) -> None:
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    try:
        fail()
    except RuntimeError as error:
        sys.excepthook(type(error), error, error.__traceback__)

    assert [(line["event"], line["error"]) for line in lines(out)] == [("uncaught exception", "RuntimeError")] * 2
    assert not [text for text in PERSONAL if text in out.getvalue()]
