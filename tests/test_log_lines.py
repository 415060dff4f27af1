"""Lines of the log: their times, by second and by zone."""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime, timedelta

import pytest

from fastflv.config.model.server import LogFormat, LogSettings, LogTank
from fastflv.control.log import LineFormatter, set_utc, start_log
from fastflv.net.networkset import NetworkSet
from fastflv.net.peer import Peer

MOMENTS = [0.25, 0.9994, 1.0, 1.5, 86_399.999, 86_400.0, 1_790_000_000.5, 3.5, 3.25]


def line(formatter: logging.Formatter, moment: float) -> str:
    record = logging.LogRecord("fastflv", logging.INFO, "", 0, "a word", None, None)
    record.created, record.msecs = moment, moment % 1 * 1000
    return formatter.format(record)


@pytest.mark.parametrize("zone", [time.gmtime, time.localtime])
def test_a_line_has_the_time_that_a_plain_formatter_gives_it(zone):
    fast = LineFormatter()
    plain = logging.Formatter("%(asctime)s.%(msecs)03d %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S")
    fast.converter = plain.converter = zone
    assert [line(fast, moment) for moment in MOMENTS] == [line(plain, moment) for moment in MOMENTS]


@pytest.fixture
def far_zone(monkeypatch):
    """The machine's zone is 5:30 h ahead of UTC."""
    monkeypatch.setenv("TZ", "XYZ-5:30")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def root(monkeypatch):
    """The logger of the server, which is as before after the test."""
    root = logging.getLogger("fastflv")
    for name in ("logThreads", "logProcesses", "logMultiprocessing", "_srcfile"):
        monkeypatch.setattr(logging, name, getattr(logging, name))
    handlers, level, propagate = root.handlers[:], root.level, root.propagate
    yield root
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.propagate = handlers, propagate
    root.setLevel(level)


def test_the_zone_counts_from_the_next_line_on(far_zone):
    formatter = LineFormatter()
    assert line(formatter, 0.5).startswith("1970-01-01 05:30:00")
    formatter.converter = time.gmtime
    assert line(formatter, 0.5).startswith("1970-01-01 00:00:00")


@pytest.mark.parametrize("utc", [True, False])
def test_the_log_is_in_the_zone_it_was_started_with_until_it_is_told_another(utc, far_zone, root, tmp_path):
    path = tmp_path / "server.log"
    start_log(LogSettings(LogTank.FILE, file=str(path)), utc=utc)
    for number, zone in enumerate((utc, not utc, utc)):
        if number:
            set_utc(zone)
        record = root.makeRecord("fastflv", logging.INFO, "", 0, f"line {number}", (), None)
        record.created = 0.5
        root.handle(record)
    hours = [text.split()[1][:5] for text in path.read_text().splitlines()]
    assert hours == (["00:00", "05:30", "00:00"] if utc else ["05:30", "00:00", "05:30"])


@pytest.fixture
def json_log(root, tmp_path):
    """Write lines as the server does, and read them as JSON."""
    path = tmp_path / "server.log"

    def start(utc):
        start_log(LogSettings(LogTank.FILE, file=str(path), format=LogFormat.JSON), utc=utc)
        return root, lambda: [json.loads(text) for text in path.read_text().splitlines()]

    return start


def test_a_line_has_the_id_of_its_connection(root, tmp_path):
    path, peer = tmp_path / "server.log", Peer("192.0.2.1", "192.0.2.1")
    start_log(LogSettings(LogTank.FILE, file=str(path)))
    root.info("rtmp %s closed", peer.ip, extra=peer.marks)
    root.info("no connection")
    first, second = (text.split(" ", 2)[2] for text in path.read_text().splitlines())
    assert first == f"INFO [{peer.id}] rtmp 192.0.2.1 closed"
    assert second == "INFO no connection"


@pytest.mark.parametrize("utc", [True, False])
def test_a_line_of_json_has_its_fields(utc, far_zone, json_log):
    log, read = json_log(utc)
    peer = Peer("192.0.2.1", "192.0.2.1")
    began = datetime.now(UTC)
    log.warning('rtmp %s closed: \x1b[2J "quoted"', peer.ip, extra=peer.marks)
    try:
        raise ValueError("of a\npeer")
    except ValueError:
        log.exception("failed")
    first, second = read()
    moment = datetime.fromisoformat(first.pop("time"))
    assert moment.utcoffset() == (timedelta() if utc else timedelta(hours=5, minutes=30))
    assert abs(moment - began) < timedelta(seconds=10)
    assert first == {
        "level": "warning",
        "client": peer.id,
        "peer": "192.0.2.1",
        "message": r'rtmp 192.0.2.1 closed: \x1b[2J "quoted"',
    }
    assert second["message"] == "failed"
    assert second["error"].endswith("of a\npeer")


def test_a_peer_keeps_its_id_behind_proxies():
    peer = Peer("10.0.0.1", "10.0.0.1")
    told = peer.told({"x-forwarded-for": "192.0.2.7"}, NetworkSet(["10.0.0.0/8"]))
    assert (told.ip, told.id) == ("192.0.2.7", peer.id)
    assert Peer("10.0.0.1", "10.0.0.1").id != peer.id
