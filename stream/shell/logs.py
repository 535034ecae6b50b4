"""One JSON object per line on stderr, for ours and for the libraries' logs; plain columns on a terminal.

Rule: no personal data leaves through a log. Four fences, each tested:

1. only fields of `FIELDS` are written, each only in its own shape; others are withheld and counted;
2. of an exception only its type, its causes' types and its places (module, line, function) remain, never its text;
3. values that a library puts into a message (`%s`) are replaced by their type, except numbers and topic partitions;
4. in every message, what looks like a value (quoted, in braces, an address, six digits in a row) is replaced.

Our own messages are constant texts; what varies goes into fields:
``log.info("partition restored", partition=3, rows=17)``.
Limit: fence 4 is a pattern. A library that glues a name into its message by itself (an f-string) would pass it.
"""

from __future__ import annotations

import copy
import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Mapping
from types import FrameType, TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

TEXTS = frozenset(
    {"topic", "stage", "state", "rule", "type", "code", "reason", "outcome", "setting", "path", "group", "instance"}
    | {"address", "version", "pack", "signal", "source", "metric", "error", "place", "caused_by", "key_hash"}
)
NUMBERS = frozenset(
    {"partition", "offset", "position", "end", "lag", "records", "rows", "triggers", "bytes", "seconds", "count"}
    | {"limit", "port", "attempt", "epoch", "generation", "exit_code", "pid", "recorded", "watermark", "withheld", "worker"}
)
LISTS = frozenset({"topics", "partitions", "stack"})
FRAME = frozenset(("time", "level", "logger", "event"))
FIELDS = TEXTS | NUMBERS | LISTS | FRAME
"""Everything that may stand in a line."""
LEVELS = {
    "stream": "INFO",
    "faust": "WARNING",
    "mode": "WARNING",
    "mode.timers": "ERROR",
    "aiokafka": "WARNING",
    "kafka": "WARNING",
}
"""Set by name, since a framework that leaves the root logger at DEBUG costs 15 % of a worker (a LogRecord per send).

Its timers warn whenever deciding kept the loop for a moment, as it does behind every backlog; our heartbeat says when that
is too long.
"""
WITHHELD = "<withheld>"
DEPTH = 12
"""Frames of a stack that are kept: the innermost ones."""

_TEXT = re.compile(r"[\w.:/@$\[\]*+,=<>() -]{1,200}")
_VALUE = re.compile(r"""b?'[^']*'|b?"[^"]*"|\{[^{}]*\}|[\w.+-]+@[\w-]+\.[\w.-]+|[\w+-]*\d{6}[\w+-]*""")
Hook = Callable[[type[BaseException], BaseException, TracebackType | None], object]


def _nobody(_: int) -> None:
    """Counts nothing."""


def configure(
    level: str = "INFO",
    stream: TextIO | None = None,
    withheld: Callable[[int], None] = _nobody,
    worker: int | None = None,
) -> None:
    """Sends every log of this process through the fences, once, at the start of `kairos run`.

    Faust must leave logging alone: ``faust.Worker(app, override_logging=False)``.

    Args:
        level: Of our own loggers (``stream.*``); the libraries' levels are fixed in `LEVELS`.
        stream: Where lines go; stderr unless a test says otherwise.
        withheld: Told how many fields a line lost (the counter `kairos_log_fields_withheld_total`).
        worker: Its place where several share one stream; said in every line, the libraries' too.
    """
    out = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(out)
    handler.setFormatter(_formatter(_renderer(out), withheld, worker))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name, usual in LEVELS.items():
        logging.getLogger(name).setLevel(level if name == "stream" else usual)
    _bind_structlog(withheld)
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback)


def logger(name: str, **fields: object) -> structlog.stdlib.BoundLogger:
    """A logger with fields bound: ``logger(__name__, topic="journal", partition=3)``; name it below ``stream``.

    May be made at import, before `configure`.
    """
    made: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name, **fields)
    return made


def _bind_structlog(withheld: Callable[[int], None]) -> None:
    """Ours pass the fences before they reach the standard logging, so that no other handler sees more."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            _exception,
            _AllowList(withheld),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def faults(error: BaseException) -> dict[str, Any]:
    """What may be said of an exception: its type, where it came up, what it came from; never its text.

    >>> try:
    ...     {}["C0000001"]
    ... except KeyError as error:
    ...     found = faults(error)
    >>> found["error"], "C0000001" in str(found)
    ('KeyError', False)
    """
    stack = _stack(error.__traceback__)[-DEPTH:]
    said: dict[str, Any] = {"error": type(error).__name__, "place": stack[-1] if stack else "unknown", "stack": stack}
    causes = _causes(error)
    if causes:
        said["caused_by"] = ", ".join(causes)
    return said


def _causes(error: BaseException) -> list[str]:
    names: list[str] = []
    cause = error.__cause__ or error.__context__
    while cause is not None and len(names) < DEPTH:
        names.append(type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    return names


def _stack(trace: TracebackType | None) -> list[str]:
    places = []
    while trace is not None:
        places.append(_place(trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return places


def _place(frame: FrameType, line: int) -> str:
    """Module rather than file: no path of the machine in a log."""
    return f"{frame.f_globals.get('__name__', 'unknown')}:{line} {frame.f_code.co_name}".replace("<", "(").replace(">", ")")


def _renderer(out: TextIO) -> Processor:
    if out.isatty():
        return structlog.dev.ConsoleRenderer(timestamp_key="time")
    return structlog.processors.JSONRenderer(serializer=json.dumps, ensure_ascii=False)


def _formatter(renderer: Processor, withheld: Callable[[int], None], worker: int | None) -> logging.Formatter:
    whose: list[Processor] = [] if worker is None else [_Whose(worker)]
    return _Formatter(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *whose,
            _exception,
            _AllowList(withheld),
            renderer,
        ],
        keep_exc_info=False,
    )


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Takes the values out of a library's message before they are put into its text (fence 3)."""

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record.msg, dict):
            return super().format(record)
        bare = copy.copy(record)
        bare.msg, bare.args = _message(record), None
        return super().format(bare)


def _message(record: logging.LogRecord) -> str:
    template = str(record.msg)
    if not record.args:
        return template
    try:
        if isinstance(record.args, Mapping):
            return template % {name: _spoken(value) for name, value in record.args.items()}
        return template % tuple(_spoken(value) for value in record.args)
    except (TypeError, ValueError):  # a number was announced and something else came
        return template


class _Spoken(str):
    """A text that ``%r`` leaves as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _spoken(value: object) -> object:
    """A value as a library's message may have it.

    >>> _spoken(7), _spoken("C0000001"), _spoken({OSError("to C0000001")})
    (7, <str>, [<OSError>])
    """
    if value is None or isinstance(value, int | float):
        return value
    topic, partition = getattr(value, "topic", None), getattr(value, "partition", None)
    if isinstance(value, tuple) and isinstance(topic, str) and isinstance(partition, int):
        return _Spoken(f"{topic}-{partition}")
    if isinstance(value, set | frozenset | list | tuple):
        return _Spoken("[" + ", ".join(sorted({str(_spoken(one)) for one in value})) + "]")
    return _Spoken(f"<{type(value).__name__}>")


def _exception(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """Puts type and place in the stead of an exception (fence 2)."""
    info: ExcInfo | BaseException | bool | None = line.pop("exc_info", None)
    line.pop("exception", None)
    line.pop("stack_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        line.update(faults(error))
    return line


class _Whose:
    """Says in every line which of several workers it is of."""

    def __init__(self, worker: int) -> None:
        self.worker = worker

    def __call__(self, _: WrappedLogger, __: str, line: EventDict) -> EventDict:
        line["worker"] = self.worker
        return line


class _AllowList:
    """Keeps the fields that are known and have their shape (fences 1 and 4)."""

    def __init__(self, withheld: Callable[[int], None]) -> None:
        self.withheld = withheld

    def __call__(self, _: WrappedLogger, __: str, line: EventDict) -> EventDict:
        kept = {name: value for name, value in line.items() if _allowed(name, value)}
        lost = len(line) - len(kept)
        if lost:
            kept["withheld"] = lost
            self.withheld(lost)
        kept["event"] = masked(str(line.get("event", "")))
        first = {name: kept[name] for name in ("time", "level", "logger", "event") if name in kept}
        return first | kept


def _allowed(name: str, value: object) -> bool:
    if name in TEXTS:
        return value is None or (isinstance(value, str) and _TEXT.fullmatch(value) is not None)
    if name in NUMBERS:
        return value is None or isinstance(value, int | float)
    if name in LISTS and isinstance(value, list | tuple | set | frozenset):
        return all(isinstance(one, int) or (isinstance(one, str) and _TEXT.fullmatch(one)) for one in value)
    return name in FRAME


def masked(text: str) -> str:
    """A message without what looks like a value.

    >>> masked("cannot parse {'id': 'C1'} of li@bank.cn, card 6222020200012345, offset 1187")
    'cannot parse <withheld> of <withheld>, card <withheld>, offset 1187'
    """
    return _VALUE.sub(WITHHELD, text)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Python prints an exception with its text; this says only what `faults` says."""
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("stream").critical("uncaught exception", exc_info=(kind, error, trace))


_bind_structlog(_nobody)
