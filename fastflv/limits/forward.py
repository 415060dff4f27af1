"""Streams that are published to other servers."""

from __future__ import annotations

from typing import Final

REMOTE_CONNECT_SECONDS: Final = 3.0
"Time for a TCP connection and a TLS handshake with another server, seconds: one lost SYN is sent again after 1 s."

FORWARD_ANSWER_SECONDS: Final = 10.0
"Time from the TCP connection until another server has accepted a publish, seconds: it may ask a hook of its own."

FORWARD_REDIRECTS_MAX: Final = 3
"Redirects that are followed for one attempt, count, as SRS over HTTP. Two servers that name each other would go on for ever."

FORWARD_READ_BYTES: Final = 16 * 1024
"Receive buffer that all forwards of a loop share, bytes. A destination says some hundred bytes at the start, then an acknowledgement now and then."

FORWARD_RETRY_SECONDS: Final = (0.1, 0.2, 0.4, 0.7)
"Pauses before the attempts at a destination that cannot be reached, seconds; the last one for all that follow. With the connection itself the stream is back within 1 s."

FORWARD_REFUSED_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 4.0)
"Likewise where the destination answers and refuses: it keeps a publisher that it has lost for some seconds, and each attempt may cost it a hook."

FORWARD_STEADY_SECONDS: Final = 5.0
"A forward that ran this long begins with the first pause again, seconds."

FORWARD_URLS_MAX: Final = 32
"Destinations taken from one answer of a backend, count: each is a connection with a copy of the stream."

FORWARD_STOP_SECONDS: Final = 2.0
"Time that destinations get to read the end of their streams when the server stops, seconds."

VIA_MARKS_MAX: Final = 16
"Servers that a stream may have passed, count: what a mark in `connect` names beyond it is left out. Tiers are 2 or 3."
