"""Values in the query of a request, as HTTP and RTMP clients write it."""

from __future__ import annotations

import re
from functools import cache
from urllib.parse import unquote_plus


@cache
def _pattern(name: str) -> re.Pattern[str]:
    # Encoders nest queries, so a second `?` begins a pair too.
    return re.compile(rf"[?&;#]{re.escape(name)}=([^?&;#]+)")


def query_value(param: str, name: str) -> str:
    """Return the first value of *name* in *param*, a query with its `?`, percent-decoded; empty without one."""
    found = _pattern(name).search(param)
    if found is None:
        return ""
    value = found[1]
    return unquote_plus(value) if "%" in value or "+" in value else value


def query_values(param: str) -> dict[str, str]:
    """Return the first value of each name in *param*, split and decoded as `query_value` does."""
    found: dict[str, str] = {}
    for pair in re.split("[?&;#]", param):
        name, _, value = pair.partition("=")
        if name and value and name not in found:
            found[name] = unquote_plus(value)
    return found
