"""Sessions of HLS viewers. A viewer makes many requests; a word in its URLs identifies it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

from fastflv import limits
from fastflv.protocols.http.message import Request
from fastflv.stream.clients import Client, Clients
from fastflv.stream.endreason import EndReason
from fastflv.stream.stream import Stream

log = logging.getLogger(__name__)

ARGUMENT = "hls_ctx"
"Name of the word in the query, as in SRS."
_WORD = re.compile(r"[0-9a-z]{8}")


class HlsSession:
    """One viewer that is counted."""

    __slots__ = ("client", "keep_seconds", "kicked", "received", "seen", "sent")

    def __init__(self, now: float, keep_seconds: float) -> None:
        self.client: Client | None = None
        "None while the stream has ended."
        self.seen = now
        "Loop time of the newest request."
        self.keep_seconds = keep_seconds
        "The session ends after this long without a request."
        self.kicked = False
        self.sent = 0
        self.received = 0


class HlsSessions:
    """All sessions by their word, HLS_SESSIONS_MAX at most. A session ends when its viewer is silent for a while."""

    def __init__(self, clients: Clients, clock: Callable[[], float], new_id: Callable[[], str]) -> None:
        self._clients = clients
        self._clock = clock
        self._new_id = new_id
        self._sessions: dict[str, HlsSession] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def new_word(self) -> str:
        """Return a word that no session and no client has."""
        word = self._new_id()
        while not self._is_free(word):
            word = self._new_id()
        return word

    def _is_free(self, word: str) -> bool:
        # All client ids share one name space, and no viewer may replace another client.
        return word not in self._sessions and self._clients.find(word) is None

    def find(self, word: str) -> HlsSession | None:
        return self._sessions.get(word)

    def enter(
        self, word: str, stream: Stream | None, request: Request, scheme: str, keep_seconds: float
    ) -> HlsSession | None:
        """Count a request of the viewer *word*; None for a malformed word, a taken one, or too many sessions."""
        now = self._clock()
        session = self._sessions.get(word)
        if session is None:
            # A player that slept continues with its old word.
            if len(self._sessions) >= limits.HLS_SESSIONS_MAX or not _WORD.fullmatch(word) or stream is None:
                return None
            if not self._is_free(word):
                return None
            session = self._sessions[word] = HlsSession(now, keep_seconds)
        if not session.kicked:
            session.seen = now
            if stream is not None and (session.client is None or session.client.stream is not stream):
                self._join(word, session, stream, request, scheme)
        return session

    def count(self, word: str, size: int) -> None:
        """Count *size* bytes sent to a viewer."""
        session = self._sessions.get(word)
        if session is not None and not session.kicked:
            session.seen = self._clock()
            session.sent += size

    def sweep(self) -> None:
        """End the sessions of silent viewers."""
        now = self._clock()
        for word, session in list(self._sessions.items()):
            if now - session.seen > session.keep_seconds:
                del self._sessions[word]
                self._leave(session, EndReason.SILENT)

    def close(self) -> None:
        for session in self._sessions.values():
            self._leave(session, EndReason.SERVER_STOPS)
        self._sessions.clear()

    def _join(self, word: str, session: HlsSession, stream: Stream, request: Request, scheme: str) -> None:
        self._leave(session, EndReason.RESTARTED)
        if self._clients.find(word) is not None:
            return
        client = session.client = Client(
            id=word,
            stream=stream,
            kind="hls-play",
            ip=request.ip,
            tc_url=f"{scheme}://{request.headers.get('host', '')}/{stream.name.app}",
            name=request.path.rpartition("/")[2],
            page_url=request.headers.get("referer", ""),
            joined=self._clock(),
            drop=self._kick,
        )
        client.link = session
        # Bytes sent before are counted with the former stream.
        session.sent = 0
        self._clients.add(client)
        log.info("player %s from %s joins %s by hls", word, client.ip, stream.name.url)

    def _kick(self, client: Client) -> None:
        """Answer 404 to every request of a viewer until its session ends."""
        session = self._sessions.get(client.id)
        if session is not None:
            session.kicked = True
            self._leave(session, EndReason.KICKED)

    def _leave(self, session: HlsSession, why: EndReason) -> None:
        client, session.client = session.client, None
        if client is not None:
            self._clients.remove(client)
            log.info(
                "player %s of %s left: %s; %d bytes in %.1f s",
                client.id, client.stream.name.url, why, client.sent, self._clock() - client.joined,
            )  # fmt: skip
