"""Lines of the log: their times, by second and by zone."""

from __future__ import annotations

import logging
import time

import pytest

from fastflv.control.log import FORMAT, LineFormatter

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


def test_the_zone_counts_from_the_next_line_on(monkeypatch):
    monkeypatch.setenv("TZ", "XYZ-5:30")
    time.tzset()
    try:
        formatter = LineFormatter(FORMAT, "%Y-%m-%d %H:%M:%S")
        assert line(formatter, 0.5).startswith("1970-01-01 05:30:00")
        formatter.converter = time.gmtime
        assert line(formatter, 0.5).startswith("1970-01-01 00:00:00")
    finally:
        monkeypatch.undo()
        time.tzset()
