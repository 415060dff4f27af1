"""Dates of HTTP: RFC 9110, 5.6.7. The module email.utils reads them too, and loads 1 MB of others for it."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Final

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"Names of the protocol, whatever the locale says."

_CLOCK: Final = r"(?P<clock>\d\d:\d\d:\d\d)"
_FORMS: Final = (
    re.compile(rf"\w+, (?P<day>\d\d) (?P<month>\w{{3}}) (?P<year>\d{{4}}) {_CLOCK} GMT", re.ASCII),
    re.compile(rf"\w+, (?P<day>\d\d)-(?P<month>\w{{3}})-(?P<year>\d\d) {_CLOCK} GMT", re.ASCII),
    re.compile(rf"\w+ (?P<month>\w{{3}}) (?P<day>[ \d]\d) {_CLOCK} (?P<year>\d{{4}})", re.ASCII),
)
"IMF-fixdate, that of RFC 850, and that of asctime: a recipient takes all three."


def http_date(seconds: int) -> str:
    """Return a time, seconds since 1970, as a field shows it."""
    at = time.gmtime(seconds)
    return (
        f"{DAYS[at.tm_wday]}, {at.tm_mday:02} {MONTHS[at.tm_mon - 1]} {at.tm_year:04}"
        f" {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"
    )


def seconds_of(date: str) -> int | None:
    """Return the seconds since 1970; None for what is no date of HTTP."""
    found = next(filter(None, (form.fullmatch(date) for form in _FORMS)), None)
    if found is None:
        return None
    try:
        year, month = int(found["year"]), MONTHS.index(found["month"]) + 1
        hour, minute, second = map(int, found["clock"].split(":"))
        if len(found["year"]) == 2:
            # One that seems more than 50 years ahead is of the last century.
            now = time.gmtime().tm_year
            year += now - now % 100
            year -= 100 if year > now + 50 else 0
        # datetime knows no leap second, which HTTP allows.
        return int(
            datetime(year, month, int(found["day"]), hour, minute, min(second, 59), tzinfo=UTC).timestamp()
        )
    except ValueError:
        return None
