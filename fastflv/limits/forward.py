"""Streams that are published to other servers."""

from __future__ import annotations

from typing import Final

REMOTE_CONNECT_SECONDS: Final = 3.0
"Time for a TCP connection and a TLS handshake with another server, seconds: one lost SYN is sent again after 1 s."
