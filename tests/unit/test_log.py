import io
import json
import logging
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spigot.log import Log, configure

LOG = Log("spigot.test")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    names = ("", "spigot", "uvicorn", "uvicorn.error", "uvicorn.access", "botocore",
             "boto3", "s3transfer", "urllib3")  # fmt: skip
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger.level, logger.handlers[:], logger.propagate) for logger in loggers]
    with warnings.catch_warnings():
        yield
        logging.captureWarnings(False)
    for logger, (level, handlers, propagate) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.propagate = propagate


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json(stream: io.StringIO) -> None:
    configure("INFO", stream)
    LOG.info("webhook stored", id="01J", size=8192, lane="/github-webhook/ a/b", event_=None)
    (line,) = lines(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {
        "level": "INFO",
        "logger": "spigot.test",
        "event": "webhook stored",
        "id": "01J",
        "size": 8192,
        "lane": "/github-webhook/ a/b",
        "event_": None,
    }


def test_a_field_never_replaces_what_every_line_has(stream: io.StringIO) -> None:
    configure("INFO", stream)
    LOG.warning("odd", level=3, text="own", event="push")
    (line,) = lines(stream)
    assert (line["level"], line["event"], line["text"]) == ("WARNING", "odd", "own")
    assert (line["level_"], line["event_"]) == (3, "push")


def test_the_level_decides_what_is_shown(stream: io.StringIO) -> None:
    configure("WARNING", stream)
    for log in (LOG.debug, LOG.info, LOG.warning, LOG.error):
        log("100% done")
    assert [(line["level"], line["event"]) for line in lines(stream)] == [
        ("WARNING", "100% done"),
        ("ERROR", "100% done"),
    ]


def test_libraries_say_no_more_at_debug_than_at_info(stream: io.StringIO) -> None:
    configure("DEBUG", stream)
    LOG.debug("ours")
    logging.getLogger("library").debug("GET /invoke?token=hush")
    logging.getLogger("library").info("theirs")
    assert [line["event"] for line in lines(stream)] == ["ours", "theirs"]


def test_what_cannot_be_json_is_written_as_text(stream: io.StringIO) -> None:
    configure("INFO", stream)
    LOG.info("odd", body=b"\x00\xff", error=ValueError("x"))
    (line,) = lines(stream)
    assert (line["body"], line["error"]) == (r"b'\x00\xff'", "x")


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["json", "text"])
def test_nothing_that_is_logged_leaves_its_line_or_moves_the_cursor(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    configure("INFO", stream)
    nasty = "a\nb\r\x1b[2J\x7f\x9b\u2028\u202e"
    LOG.info(nasty, value=nasty + "\ud800", nested={"deep": [nasty]})
    written = stream.getvalue()
    assert written.endswith("\n")
    assert written[:-1].isprintable()


def test_on_a_terminal_an_event_is_aligned_text_with_colour() -> None:
    stream = Terminal()
    configure("INFO", stream)
    LOG.info("webhook stored", id="01J", lane="/github-webhook/ a/b", size=8192)
    LOG.error("Größe")
    stored, failed = stream.getvalue().splitlines()
    assert "\x1b[32mINFO   \x1b[0m" in stored
    assert "\x1b[31mERROR  \x1b[0m" in failed
    plain = re.sub(r"\x1b\[[0-9;]*m", "", stored)
    event = f"{'webhook stored':32}"
    assert plain[24:] == f' INFO    {event} id=01J lane="/github-webhook/ a/b" size=8192'
    assert failed.endswith(" Größe")


def test_a_terminal_that_wants_no_colour_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    configure("INFO", stream)
    LOG.info("fine", id="01J")
    assert "\x1b" not in stream.getvalue()


def test_an_exception_is_its_type_and_message(stream: io.StringIO) -> None:
    configure("INFO", stream)
    LOG.error("store failed", exc=OSError("disk full"))
    LOG.error("store failed", exc=KeyboardInterrupt())
    assert [line["error"] for line in lines(stream)] == ["OSError: disk full", "KeyboardInterrupt"]
    assert "traceback" not in stream.getvalue()


def test_at_debug_an_exception_has_its_traceback_as_well(stream: io.StringIO) -> None:
    configure("DEBUG", stream)
    try:
        Path("/nowhere/at/all").touch()
    except OSError:
        logging.getLogger("spigot.test").exception("store failed")
    (line,) = lines(stream)
    assert line["error"].startswith("FileNotFoundError: [Errno 2] No such file or directory")
    assert line["traceback"].startswith("Traceback (most recent call last)")
    assert line["traceback"].endswith(line["error"] + "\n")


def test_warnings_are_logged(stream: io.StringIO) -> None:
    configure("INFO", stream)
    warnings.simplefilter("always")
    warnings.warn("old ways", DeprecationWarning, stacklevel=1)
    (line,) = lines(stream)
    assert (line["level"], line["logger"]) == ("WARNING", "py.warnings")
    assert "DeprecationWarning: old ways" in line["event"]


def test_uvicorn_is_logged_but_not_each_request(stream: io.StringIO) -> None:
    logging.getLogger("uvicorn").addHandler(logging.StreamHandler(io.StringIO()))
    configure("INFO", stream)
    logging.getLogger("uvicorn.error").info("Started server process [%d]", 7)
    assert not logging.getLogger("uvicorn.access").hasHandlers()
    (line,) = lines(stream)
    assert line["event"] == "Started server process [7]"


def test_configuring_again_replaces_what_was_before(stream: io.StringIO) -> None:
    other = io.StringIO()
    configure("INFO", other)
    configure("INFO", stream)
    LOG.info("once")
    assert other.getvalue() == ""
    assert len(lines(stream)) == 1


def test_without_a_stream_it_is_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure("INFO")
    LOG.info("here")
    assert '"here"' in capsys.readouterr().err


@pytest.mark.parametrize("name", ["botocore.endpoint", "boto3", "urllib3.connectionpool"])
def test_the_way_to_aws_says_nothing_below_a_warning(stream: io.StringIO, name: str) -> None:
    configure("DEBUG", stream)
    logging.getLogger(name).info("a request with a whole webhook")
    assert stream.getvalue() == ""
    logging.getLogger(name).warning("look at this")
    assert "look at this" in stream.getvalue()
