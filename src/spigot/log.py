"""Logging: one line an event, for a person on a terminal, as JSON for everything else.

Use it as ``log = Log(__name__)`` and ``log.info("webhook stored", id=webhook.id)``: the text stays
the same from event to event, what differs goes into fields. Nothing that is logged can break out
of its line or move a terminal's cursor: control characters are escaped.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

_PLAIN = re.compile(r"[\w./:@%+,*-]+")
_COLOURS = {"DEBUG": "2", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}


class Log:
    """A logger whose events carry fields.

    Each method takes the event's text, its fields by keyword, and the exception that it is about,
    if any, as ``exc``.
    """

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, text: str, /, *, exc: BaseException | None = None, **fields: object) -> None:
        """Log what helps to find a fault."""
        self._event(logging.DEBUG, text, exc, fields)

    def info(self, text: str, /, *, exc: BaseException | None = None, **fields: object) -> None:
        """Log what happened as it should."""
        self._event(logging.INFO, text, exc, fields)

    def warning(self, text: str, /, *, exc: BaseException | None = None, **fields: object) -> None:
        """Log what somebody should look at in time."""
        self._event(logging.WARNING, text, exc, fields)

    def error(self, text: str, /, *, exc: BaseException | None = None, **fields: object) -> None:
        """Log what failed."""
        self._event(logging.ERROR, text, exc, fields)

    def _event(
        self, level: int, text: str, exc: BaseException | None, fields: dict[str, object]
    ) -> None:
        # Without arguments, logging leaves a percent sign in the text alone.
        self._logger.log(level, text, exc_info=exc, extra={"fields": fields})


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send everything that is logged, Python's warnings and uvicorn's words included, to a stream.

    It may be called again; the last call holds. Run uvicorn with ``log_config=None``, or it puts
    its own handlers back. Its access log is off: it would write the tokens that paths and queries
    carry. For the same reason only Spigot's own loggers go down to DEBUG, and those of the way to
    AWS, whose requests carry whole webhooks, no further than WARNING.

    Args:
        level: The least level to show: DEBUG, INFO, WARNING or ERROR.
        stream: Where to; standard error by default. Coloured text if it is a terminal (without
            colour if ``NO_COLOR`` is set, see no-color.org), else JSON lines.
    """
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(_formatter(handler.stream, tracebacks=level == "DEBUG"))
    root = logging.getLogger()
    for former in [known for known in root.handlers if isinstance(known, _Handler)]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(max(logging.getLevelNamesMapping()[level], logging.INFO))
    logging.getLogger("spigot").setLevel(level)
    for name in ("boto3", "botocore", "s3transfer", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)  # noqa: FBT003
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"


class _Handler(logging.StreamHandler[TextIO]):
    """The one handler that ``configure`` puts in place."""


def _formatter(stream: TextIO, *, tracebacks: bool) -> logging.Formatter:
    if not stream.isatty():
        return _JsonLine(tracebacks=tracebacks)
    return _TextLine(tracebacks=tracebacks, colour=not os.environ.get("NO_COLOR"))


class _JsonLine(logging.Formatter):
    """One JSON object a line: time, level, logger, event, then the fields."""

    def __init__(self, *, tracebacks: bool) -> None:
        super().__init__()
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage().rstrip(),
        }
        for name, value in _fields(record, tracebacks=self._tracebacks).items():
            line[name if name not in line else f"{name}_"] = value
        return json.dumps(line, default=str)


class _TextLine(logging.Formatter):
    """Time, level and event in columns, then the fields as ``name=value``."""

    def __init__(self, *, tracebacks: bool, colour: bool) -> None:
        super().__init__()
        self._tracebacks = tracebacks
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        fields = _fields(record, tracebacks=self._tracebacks)
        level = self._paint(f"{record.levelname:7}", _COLOURS.get(record.levelname, "0"))
        parts = [self._paint(_time(record), "2"), level, _escaped(record.getMessage().rstrip())]
        if fields:
            parts[-1] = f"{parts[-1]:32}"
        parts += [self._paint(f"{name}=", "2") + _value(value) for name, value in fields.items()]
        return " ".join(parts)

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def _time(record: logging.LogRecord) -> str:
    """Return when it was logged: ISO 8601, UTC, milliseconds."""
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(record: logging.LogRecord, *, tracebacks: bool) -> dict[str, Any]:
    fields: dict[str, Any] = dict(getattr(record, "fields", {}))
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        fields["error"] = ": ".join(filter(None, (type(error).__name__, str(error))))
        if tracebacks:
            fields["traceback"] = "".join(traceback.format_exception(error))
    return fields


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        text = json.dumps(value, ensure_ascii=False)
    return _escaped(text)


def _escaped(text: str) -> str:
    """Return the text with every character that is not printable written as JSON would write it."""
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)
