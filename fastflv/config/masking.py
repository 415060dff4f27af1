"""URLs without their secrets, fit for logs, answers and error messages."""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "***"

TOKEN: Final = re.compile(r"eyJ[A-Za-z0-9_-]*\.eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*")
"A JSON Web Token wherever it stands: header and claims are JSON objects in base64url, so both begin with `eyJ`."

_USER = re.compile(r"(//)[^/?#]*@")
_SERVER = re.compile(r"//(?:[^/?#]*@)?([^/?#]*)")
_HOST_PORT = re.compile(r"(?:\[[^\]]*\]|[^:]*)(?::\d{0,5})?")
_PAIR = re.compile(r"([^&;?#=]*)(=?)([^&;?#]*)")
_OPEN: Final = frozenset({"vhost", "domain", "only", "hevc", "start"})
"Parameters that choose a stream or a form of it, and prove nothing."


def masked(url: str) -> str:
    """Return a URL of any scheme, or a path with a query, without user and password, tokens and values of parameters.

    The parameters that choose a vhost or a form of the stream stay. A word without `=` is hidden as a whole.
    """
    url = TOKEN.sub(HIDDEN, _USER.sub(rf"\1{HIDDEN}@", _without_odd_user(url)))
    at = re.search(r"[?#]", url)
    if at is None:
        return url
    return url[: at.start()] + _PAIR.sub(_mask_pair, url[at.start() :])


def _without_odd_user(url: str) -> str:
    """Hide a password that has `/`, `?` or `#` in it, which a URL may not have: it ends at the last `@`.

    What stands before one of these is then no host with a port, or `#` follows it at once, which no URL here has.
    """
    server = _SERVER.search(url)
    at = url.rfind("@")
    if server is None or at < server.end():
        return url
    if _HOST_PORT.fullmatch(server[1]) and url[server.end()] != "#":
        return url
    return f"{url[: server.start()]}//{HIDDEN}{url[at:]}"


def _mask_pair(found: re.Match[str]) -> str:
    name, equals, value = found.groups()
    if not value:
        return f"{name}{equals}" if equals or not name else HIDDEN
    return found[0] if name in _OPEN else f"{name}{equals}{HIDDEN}"
