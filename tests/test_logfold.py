"""The log of the process: repeated lines are folded with a count, and every line is printable."""

from __future__ import annotations

import ast
import io
import logging
from pathlib import Path

import pytest

import fastflv
from fastflv import limits
from fastflv.control.log import FORMAT, LineFormatter
from fastflv.control.logfold import LogFold
from fastflv.net.peerlog import PeerLogger, peer_logger

USUAL_PLACE = logging.addLevelName.__code__.co_filename
"What `logging` leaves out of the frames of a call; a server that has begun its log asks for none."


class Book:
    """A logger with a handler of its own that folds by a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.out = io.StringIO()
        self.handler = logging.StreamHandler(self.out)
        self.handler.setFormatter(LineFormatter("%(levelname)s %(message)s", "%H:%M:%S"))
        self.fold = LogFold(self.handler, lambda: self.now)
        self.handler.addFilter(self.fold)
        self.log = logging.Logger("book")
        self.log.addHandler(self.handler)

    def refuse(self, ip: str, times: int = 1, size: int = 100) -> None:
        for number in range(times):
            self.log.info("%s refused: %s", ip, f"{number}".rjust(size, "x"), extra={"peer": ip})

    @property
    def lines(self) -> list[str]:
        return self.out.getvalue().splitlines()


@pytest.fixture
def book() -> Book:
    return Book()


def test_lines_of_one_form_and_peer_are_folded_with_a_count_and_the_newest(book):
    book.refuse("192.0.2.1", 5000)
    written = len(book.lines)
    assert limits.LOG_FOLD_CHARS <= sum(len(line) for line in book.lines) <= 2 * limits.LOG_FOLD_CHARS
    book.now = limits.LOG_FOLD_SECONDS
    book.log.info("something else")
    count, other = book.lines[written:]
    newest = "192.0.2.1 refused: " + "4999".rjust(100, "x")
    assert count == f"INFO {5000 - written} more lines from 192.0.2.1 like this one: {newest}"
    assert other == "INFO something else"


def test_lines_that_are_only_counted_make_no_record(book, monkeypatch):
    made = []
    usual = logging.getLogRecordFactory()
    log = peer_logger("fastflv.of_this_test")
    monkeypatch.setattr(log, "handlers", [book.handler])
    monkeypatch.setattr(log, "propagate", False)
    log.setLevel(logging.INFO)
    monkeypatch.setattr(PeerLogger, "count", book.fold.count)
    logging.setLogRecordFactory(lambda *args, **more: made.append(args) or usual(*args, **more))
    try:
        for number in range(5000):
            log.info("%s refused: %s", "192.0.2.1", f"{number}".rjust(100, "x"), extra={"peer": "192.0.2.1"})
        written = len(book.lines)
        # The line behind the last one that was written is the first that is not.
        assert len(made) == written + 1
        log.info("%s refused: %s", "192.0.2.2", "z", extra={"peer": "192.0.2.2"})
        assert len(book.lines) == written + 1
        try:
            raise ValueError("x")
        except ValueError:
            log.exception("%s refused: %s", "192.0.2.1", "y", extra={"peer": "192.0.2.1"})
        assert len(made) == written + 3
        book.now = limits.LOG_FOLD_SECONDS
        log.info("%s refused: %s", "192.0.2.1", "again", extra={"peer": "192.0.2.1"})
    finally:
        logging.setLogRecordFactory(usual)
    count, again = book.lines[-2:]
    assert count == f"ERROR {5001 - written} more lines from 192.0.2.1 like this one: 192.0.2.1 refused: y"
    assert again == "INFO 192.0.2.1 refused: again"


def test_a_line_names_the_place_of_its_call(monkeypatch):
    log = peer_logger("fastflv.of_another_test")
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(filename)s %(message)s"))
    monkeypatch.setattr(log, "handlers", [handler])
    monkeypatch.setattr(log, "propagate", False)
    monkeypatch.setattr(logging, "_srcfile", USUAL_PLACE)
    monkeypatch.setattr(PeerLogger, "count", None)
    log.warning("a line")
    assert out.getvalue() == "test_logfold.py a line\n"


def test_another_peer_and_another_form_are_not_folded(book):
    book.refuse("192.0.2.1", 5000)
    before = len(book.lines)
    book.refuse("192.0.2.2")
    book.log.info("player %s left", "a", extra={"peer": "192.0.2.1"})
    book.log.info("the server stops")
    assert len(book.lines) == before + 3


def test_the_next_span_writes_lines_again(book):
    book.refuse("192.0.2.1", 5000)
    book.now = limits.LOG_FOLD_SECONDS
    before = len(book.lines)
    book.refuse("192.0.2.1", 2)
    assert len(book.lines) == before + 3


def test_addresses_of_one_ipv6_network_are_one_peer(book):
    for number in range(5000):
        book.refuse(f"2001:db8::{number:x}")
    book.fold.flush()
    assert "more lines from 2001:db8::/64 like this one" in book.lines[-1]
    assert len(book.lines) < 1500


def test_what_is_remembered_is_bounded_whatever_peers_do(book):
    peers = 40 * limits.LOG_FOLD_FORMS
    for number in range(peers):
        book.refuse(f"192.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    written = len(book.lines)
    assert written < limits.LOG_FOLD_FORMS + 2 * limits.LOG_FOLD_CHARS // 100
    book.fold.flush()
    assert book.lines[-1].startswith(f"INFO {peers - written} more lines from other addresses like")


def test_a_form_without_a_peer_is_bounded_too(book):
    for number in range(5000):
        book.log.error("stream %s failed: %s", number, "x" * 100)
    book.fold.flush()
    assert book.lines[-1].startswith("ERROR ") and " more lines like this one: stream 4999" in book.lines[-1]


def test_tracebacks_count_for_the_bound(book):
    for _ in range(limits.LOG_FOLD_CHARS // limits.LOG_TRACE_CHARS + 10):
        try:
            raise ValueError("x")
        except ValueError:
            book.log.exception("failed")
    assert len(book.out.getvalue()) < limits.LOG_FOLD_CHARS
    book.fold.flush()
    assert "more lines like this one: failed" in book.lines[-1]


def test_a_line_is_one_printable_line_of_bounded_length(book):
    book.log.info("closed: %s", "a\nINFO forged\x1b[2J\u202e" + "x" * 9000)
    (line,) = book.lines
    assert line.startswith(r"INFO closed: a\nINFO forged\x1b[2J\u202exxx") and line.endswith("x...")
    assert len(line) < limits.LOG_LINE_CHARS_MAX + 30 and line.isprintable()


def test_a_traceback_keeps_its_lines_and_is_printable(book):
    try:
        raise ValueError("of a peer\x1b[2J")
    except ValueError:
        book.log.exception("failed")
    assert book.lines[0] == "ERROR failed"
    assert book.lines[-1] == r"ValueError: of a peer\x1b[2J"
    assert len(book.lines) > 3


def test_the_format_of_the_server_has_no_field_that_a_peer_writes_but_the_message():
    assert FORMAT.count("%(") == 5


def calls_of_loggers() -> list[tuple[str, ast.Call]]:
    root = Path(fastflv.__file__).parent
    found = []
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "log"
            ):
                found.append((f"{path.relative_to(root)}:{node.lineno}", node))
    return found


def test_a_line_that_shows_an_address_names_the_peer_that_it_is_folded_by():
    calls = calls_of_loggers()
    assert len(calls) > 40
    for place, call in calls:
        shown = [ast.unparse(each) for each in call.args[1:]]
        if any(each.endswith((".ip", "_ip", "client_id", "client.id")) or each == "ip" for each in shown):
            assert any(each.arg == "extra" for each in call.keywords), f"{place} has no extra=peer.marks"
