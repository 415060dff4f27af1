"""Viewers of HLS: each sends many requests, so a session id in its URLs ties them together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from fastflv import limits
from fastflv.access.request import AccessRequest
from fastflv.stream.clients import Client, Clients
from fastflv.stream.endreason import CONSENT_LOST, EndReason
from fastflv.stream.lag import NO_STEPS, UNBEGUN, Beginning, Steps
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream, StreamOptions

ARGUMENT = "hls_ctx"
"Name of the session id in the query, as in SRS."
_WORD = re.compile(r"[0-9a-z]{8}")


class HlsSession:
    """One viewer."""

    __slots__ = (
        "_sessions", "client", "ip", "keep_seconds", "kicked", "name", "received", "seen", "sent", "text_bytes", "word",
    )  # fmt: skip

    def __init__(
        self, sessions: HlsSessions, word: str, name: StreamName, ip: str, now: float, keep_seconds: float
    ) -> None:
        self._sessions = sessions
        self.word = word
        self.name = name
        "Stream that the gate admitted the viewer to."
        self.ip = ip
        "Address that it admitted."
        self.client: Client | None = None
        "None while the stream is absent."
        self.seen = now
        "Time of the last request, monotonic clock, seconds."
        self.keep_seconds = keep_seconds
        "How long it may be silent."
        self.text_bytes = 0
        "Of what its client keeps of the request."
        self.kicked = False
        self.sent = 0
        self.received = 0

    @property
    def steps(self) -> Steps:
        """Viewers of segments do not lag: they ask for what they want."""
        return NO_STEPS

    @property
    def beginning(self) -> Beginning:
        return UNBEGUN

    def admits(self, name: StreamName, ip: str) -> bool:
        """Return whether the gate has admitted a viewer of that stream and address: rules differ by stream and vhost."""
        return self.ip == ip and self.name == name

    def drop(self, reason: EndReason) -> None:
        """Disconnect the viewer: its requests are answered with 404 until the session expires.

        A viewer that has lost its consent loses its session: the gate answers its next request.
        """
        self.kicked = reason not in CONSENT_LOST
        self._sessions.leave(self, reason)
        if not self.kicked:
            self._sessions.forget(self)

    def adopt(self, options: StreamOptions) -> None:
        """Segments have settings of their own."""


class HlsSessions:
    """All viewers by session id. Bounded; a viewer that has not asked for a while is forgotten."""

    def __init__(self, clients: Clients, clock: Callable[[], float], new_id: Callable[[], str]) -> None:
        self._clients = clients
        self._clock = clock
        self._new_id = new_id
        self._sessions: dict[str, HlsSession] = {}
        self.freed_bytes = 0
        "Memory of sessions that were forgotten since this was last set to 0."
        self._text_bytes = 0
        "Of all sessions."

    def __len__(self) -> int:
        return len(self._sessions)

    def new_word(self) -> str:
        """Return an unused session id."""
        word = self._new_id()
        while not self._is_free(word):
            word = self._new_id()
        return word

    def _is_free(self, word: str) -> bool:
        # Ids of all clients are one name space: no viewer may take the place of another client.
        return word not in self._sessions and self._clients.find(word) is None

    def find(self, word: str) -> HlsSession | None:
        return self._sessions.get(word)

    def follows(self, word: str, ip: str, stream: Stream | None, keep_seconds: float) -> bool:
        """Return whether a viewer of that id and address is counted for *stream*, None: for any, and may be silent so long."""
        session = self._sessions.get(word)
        if session is None or session.client is None or session.ip != ip:
            return False
        if session.keep_seconds < keep_seconds:
            return False
        return stream is None or session.client.stream is stream

    def enter(self, request: AccessRequest, stream: Stream | None, keep_seconds: float) -> HlsSession | None:
        """Count the viewer whose session id is the client id of *request*. *keep_seconds*: how long it may be silent.

        None for a viewer that is not counted: a foreign id, or too many viewers.
        """
        now, word = self._clock(), request.client_id
        session = self._sessions.get(word)
        if session is None:
            # A player that slept goes on with its old id.
            if len(self._sessions) >= limits.HLS_SESSIONS_MAX or not _WORD.fullmatch(word) or stream is None:
                return None
            if not self._is_free(word):
                return None
            session = self._sessions[word] = HlsSession(
                self, word, stream.name, request.peer.ip, now, keep_seconds
            )
        if not session.kicked:
            session.seen = now
            session.keep_seconds = keep_seconds
            session.ip = request.peer.ip
            session.name = (
                stream.name if stream is not None else StreamName(request.vhost, request.app, request.stream)
            )
            if stream is not None and (session.client is None or session.client.stream is not stream):
                self._join(session, stream, request)
        return session

    def count(self, word: str, size: int) -> None:
        """Count *size* bytes sent to a viewer."""
        session = self._sessions.get(word)
        if session is not None and not session.kicked:
            session.seen = self._clock()
            session.sent += size

    def sweep(self) -> Iterator[None]:
        """Forget viewers that no longer ask, a bounded number before each step of the iterator."""
        work = 0
        for session in list(self._sessions.values()):
            work += 1
            if self._clock() - session.seen > session.keep_seconds:
                self.forget(session)
                self.leave(session, EndReason.SILENT)
                work += limits.HLS_SWEEP_REMOVAL
            if work >= limits.HLS_SWEEP_WORK:
                work = 0
                yield

    def close(self) -> None:
        for session in self._sessions.values():
            self.leave(session, EndReason.SERVER_STOPS)
        self._sessions.clear()

    def forget(self, session: HlsSession) -> None:
        """Forget the session id."""
        if self._sessions.get(session.word) is session:
            del self._sessions[session.word]
            self.freed_bytes += limits.HLS_SESSION_BYTES + session.text_bytes

    def leave(self, session: HlsSession, reason: EndReason) -> None:
        """Remove the viewer from the clients."""
        client, session.client = session.client, None
        if client is not None:
            self._clients.remove(client, reason, self._clock())
            self._text_bytes -= session.text_bytes

    def _join(self, session: HlsSession, stream: Stream, request: AccessRequest) -> None:
        self.leave(session, EndReason.RESTARTED)
        size = len(request.param) + len(request.page_url) + len(request.tc_url)
        if self._text_bytes + size > limits.HLS_SESSIONS_TEXT_BYTES:
            return
        if self._clients.find(session.word) is None:
            session.text_bytes = size
            self._text_bytes += size
            session.client = Client(request, stream, session, self._clock())
            # Bytes sent before stay counted with the former stream.
            session.sent = 0
            self._clients.add(session.client)
