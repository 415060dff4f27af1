"""Lines of the log: their times, by second and by zone."""

from __future__ import annotations

import logging
import time

import pytest

from fastflv.config.model.server import LogSettings, LogTank
from fastflv.control.log import FORMAT, LineFormatter, set_utc, start_log

MOMENTS = [0.25, 0.9994, 1.0, 1.5, 86_399.999, 86_400.0, 1_790_000_000.5, 3.5, 3.25]


def line(formatter: logging.Formatter, moment: float) -> str:
    record = logging.LogRecord("fastflv", logging.INFO, "", 0, "a word", None, None)
    record.created, record.msecs = moment, moment % 1 * 1000
    return formatter.format(record)


@pytest.mark.parametrize("zone", [time.gmtime, time.localtime])
def test_a_line_has_the_time_that_a_plain_formatter_gives_it(zone):
    fast, plain = (each(FORMAT, "%Y-%m-%d %H:%M:%S") for each in (LineFormatter, logging.Formatter))
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
    formatter = LineFormatter(FORMAT, "%Y-%m-%d %H:%M:%S")
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
