"""What a page may load and do: its Content-Security-Policy.

Spec: Content Security Policy Level 3. No page has a script, a style or a frame that is not a file of this server.
"""

from __future__ import annotations

import re
from typing import Final

HOST: Final = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")
"Host names and addresses that may stand in a policy; Host is written by the client."

ANYWHERE: Final = "http: https: ws: wss:"
"A person may paste the address of a stream of any server into the player."

COMMON: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; object-src 'none'"
)
PLAYER: Final = "/players/"
"The page that pages of other sites may have in a frame."


def policy(path: str, host: str) -> str:
    """Return the policy of the page at *path* of a server that was asked as *host*, a name or address without port.

    Streams and the API may have other ports of this host, so pages may ask them too.
    """
    host = f"[{host}]" if ":" in host else host
    ports = " ".join(f"{scheme}://{host}:*" for scheme in ("http", "https", "ws", "wss"))
    sources = ANYWHERE if path == PLAYER else f"'self' {ports}" if HOST.fullmatch(host) else "'self'"
    frames = "*" if path == PLAYER else "'self'"
    return f"{COMMON}; connect-src {sources}; media-src blob: {sources}; frame-src 'self'; frame-ancestors {frames}"
