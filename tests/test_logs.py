"""`/api/v1/logs`: the newest lines of the log, kept within bounds."""

from __future__ import annotations

import logging

import pytest
from model.apisite import looped, running

from fastflv import limits
from fastflv.config.model.server import LogSettings, LogTank
from fastflv.control.log import start_log
from fastflv.net.peer import Peer
from fastflv.servers.api.logs import Logs
from fastflv.servers.api.recentlog import RecentLog


@pytest.fixture
def recent(monkeypatch, tmp_path):
    """What keeps the lines of a log that was started as the server does; its logger is as before after the test."""
    root = logging.getLogger("fastflv")
    for name in ("logThreads", "logProcesses", "logMultiprocessing", "_srcfile"):
        monkeypatch.setattr(logging, name, getattr(logging, name))
    before, level, propagate = root.handlers[:], root.level, root.propagate
    yield start_log(LogSettings(LogTank.FILE, file=str(tmp_path / "server.log")))
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.propagate = before, propagate
    root.setLevel(level)


log = logging.getLogger("fastflv.test")


def write(recent: RecentLog, level: int, text: str) -> None:
    recent.handle(logging.LogRecord("fastflv", level, "", 0, text, None, None))


@looped
async def test_lines_are_shown_in_their_order_with_level_client_and_traceback(recent):
    peer = Peer("192.0.2.1", "192.0.2.1")
    async with running(recent=recent) as caller:
        first = (await caller.get("logs"))["newest"]
        log.info("player \x1b[2J joins", extra=peer.marks)
        try:
            raise ValueError("broken")
        except ValueError:
            log.exception("it failed")
        answer = await caller.get(f"logs?after={first}")
        one, two = answer["lines"]
        assert (one["id"], two["id"], answer["newest"]) == (first + 1, first + 2, first + 2)
        assert (one["level"], one["message"]) == ("info", r"player \x1b[2J joins")
        assert (one["client"], one["peer"]) == (peer.id, "192.0.2.1")
        assert (two["level"], two["message"]) == ("error", "it failed")
        assert two["error"].endswith("ValueError: broken")
        assert one["time_ms"] > 1_600_000_000_000


@looped
async def test_a_level_and_a_count_choose_the_newest_of_them(recent):
    async with running(recent=recent) as caller:
        for number in range(5):
            log.warning("odd %d", number)
            log.info("usual %d", number)
        shown = (await caller.get("logs?level=warning&count=2"))["lines"]
        assert [line["message"] for line in shown] == ["odd 3", "odd 4"]
        assert (await caller.get("logs?level=error"))["lines"] == []


@looped
async def test_folded_lines_are_counted_as_in_the_log_file(recent, monkeypatch):
    monkeypatch.setattr(limits, "LOG_FOLD_CHARS", 100)
    async with running(recent=recent) as caller:
        for number in range(50):
            log.info("flood %s", f"{number:060}", extra={"peer": "192.0.2.9"})
        shown = [line["message"] for line in (await caller.get("logs"))["lines"]]
        assert sum("flood" in line for line in shown) == 2


def test_what_is_kept_is_bounded_in_lines_and_in_characters(monkeypatch):
    monkeypatch.setattr(limits, "LOG_KEPT_LINES", 100)
    monkeypatch.setattr(limits, "LOG_KEPT_CHARS", 50_000)
    recent = RecentLog()
    for number in range(1000):
        write(recent, logging.INFO, f"line {number}")
    kept = list(recent.since(0))
    assert [line.number for line in kept] == list(range(901, 1001))
    for _ in range(100):
        write(recent, logging.INFO, "x" * 10_000)
    kept = list(recent.since(0))
    assert sum(line.chars for line in kept) <= 50_000
    assert all(len(line.text) == limits.LOG_LINE_CHARS_MAX for line in kept)


def test_lines_behind_one_that_is_not_kept_any_more_are_all_that_are_kept(monkeypatch):
    monkeypatch.setattr(limits, "LOG_KEPT_LINES", 10)
    recent = RecentLog()
    for number in range(30):
        write(recent, logging.INFO, f"line {number}")
    assert len(list(recent.since(3))) == 10
    assert [line.number for line in recent.since(28)] == [29, 30]
    assert list(recent.since(30)) == list(recent.since(99)) == []


@looped
async def test_an_embedded_server_says_who_has_its_log():
    async with running() as caller:
        status, _, body = await caller.raw("/api/v1/logs")
        assert status == 404 and b"the program that embeds" in body


@pytest.mark.parametrize(
    ("field", "status"),
    [
        ("Origin: http://evil.example", 403),
        ("Origin: http://localhost:81", 403),
        ("Sec-Fetch-Site: cross-site", 403),
        ("Origin: http://localhost", 200),
        ("Sec-Fetch-Site: same-origin", 200),
    ],
)
@looped
async def test_pages_of_other_origins_do_not_read_the_log_of_an_api_without_a_password(recent, field, status):
    async with running(recent=recent) as caller:
        assert (await caller.raw("/api/v1/logs", field))[0] == status


def test_the_operation_is_private_and_guarded():
    (operation,) = Logs(None).operations()
    assert operation.private and operation.guarded
