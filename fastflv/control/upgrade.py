"""The old process of an upgrade: it starts the new version and hands listeners, publishers and players to it."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from fastflv import limits
from fastflv.control.handover import Leaving
from fastflv.control.handoverform import form
from fastflv.control.server import Server
from fastflv.control.supervision import Supervision
from fastflv.control.takeover import VARIABLE
from fastflv.errors import HandoverError
from fastflv.net.parcel import Descriptor, Parcel, receive_parcel, send_parcel
from fastflv.servers.rtmp.connection import RtmpConnection
from fastflv.stream.endreason import EndReason
from fastflv.stream.stream import Stream
from fastflv.stream.streamstate import past_pages

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """How this process was started."""

    words: Sequence[str]
    "The program and its arguments."

    folder: str
    "Working directory; relative paths count from there."


class Upgrade:
    """One attempt to hand a server over. Whatever fails before the commit, the server goes on unharmed."""

    def __init__(
        self,
        server: Server,
        command: CommandLine,
        hand_over: Callable[[], Callable[[], None]],
        supervision: Supervision,
        *,
        drain: bool = False,
    ) -> None:
        """*hand_over* gives up the pid file and the socket of commands, and returns what takes them again.

        *drain*: a version that knows another form of streams gets the listeners alone, and this process serves its
        clients to their end; else such a version is refused.
        """
        self._server = server
        self._command = command
        self._give_up = hand_over
        self._supervision = supervision
        self._drain = drain
        self._sock: socket.socket | None = None
        self._pasts: list[tuple[Stream, int]] = []

    async def run(self) -> dict[str, Any]:
        """Hand the server over; return the report of it. Raises HandoverError: the server serves on."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock = ours
        process = self._start(theirs)
        try:
            return await self._hand_over(process)
        except Exception as error:
            ends = self._sock is not None and isinstance(error, EOFError | ConnectionError)
            self.cancel()
            await self._end(process, ends=ends)
            if not isinstance(error, OSError | EOFError | HandoverError):
                log.exception("upgrade: it failed")
            raise HandoverError(_reason(error, process)) from error

    def cancel(self) -> None:
        """End an upgrade that has not taken place; without effect on one that has."""
        sock, self._sock = self._sock, None
        if sock is not None:
            with suppress(OSError):
                # A thread may wait for an answer.
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    async def finish(self) -> None:
        """No file is written any more: the new process may. Then it gets the past of streams, while both serve."""
        try:
            await self._ask({"released": True})
            for stream, position in self._pasts:
                await self._hand_past(stream, position)
        except (HandoverError, OSError, EOFError) as error:
            log.warning(
                "upgrade: the new process has not all of the past of streams: %s", error or "it ended"
            )
        self._pasts = []
        self.cancel()

    async def _hand_past(self, stream: Stream, position: int) -> None:
        """Hand over what is kept before *position*, the newest first, as long as the new process wants it."""
        options = stream.timeshift.options
        # What stands in files is in memory there, until it is over.
        left = limits.TIMESHIFT_MEMORY_BYTES if options.path else options.bytes_max
        while left > 0 and (pages := past_pages(stream, position, min(left, limits.UPGRADE_PAST_BYTES))):
            if not await self._ask({"stream": stream.id, "pages": pages}):
                break
            position = pages[-1]["start"]
            left -= sum(len(page["bytes"]) for page in pages)

    async def _ask(self, values: dict[str, Any]) -> bool:
        """Send *values*, and return whether the new process wants more."""
        sock = self._sock
        if sock is None:
            return False

        def exchange() -> bool:
            until = monotonic() + limits.UPGRADE_PAST_SECONDS
            send_parcel(sock, values, until)
            return bool(receive_answer(sock, until).values.get("more"))

        return await asyncio.get_running_loop().run_in_executor(None, exchange)

    def _start(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        fd = theirs.fileno()
        try:
            passed = {VARIABLE: fd, **self._supervision.pass_on()}
            return subprocess.Popen(
                self._command.words,
                cwd=self._command.folder,
                env={**os.environ, **{name: str(fd) for name, fd in passed.items()}},
                pass_fds=tuple(passed.values()),
                # A signal to the group of the supervisor would come twice: the keeper passes it on.
                process_group=0 if self._supervision.kept else None,
            )
        except OSError as error:
            raise HandoverError(f"{self._command.words[0]} cannot be started: {error.strerror}") from error
        finally:
            theirs.close()
            self._supervision.started()

    async def _hand_over(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        server, sock = self._server, self._sock
        assert sock is not None
        until = monotonic() + limits.UPGRADE_START_SECONDS
        hello = await self._receive(sock, until)
        known = hello.values.get("format") == form()
        version = str(hello.values.get("version", "?"))
        log.info("upgrade: process %d has started, version %s", process.pid, version)
        if not known and not self._drain:
            raise HandoverError(
                f"version {version} knows another form of streams and players, so it cannot go on with them; "
                "`fastflv upgrade --drain` gives it the listeners alone, and serves who is here to their end"
            )
        sockets = server.listeners.sockets
        send_parcel(sock, {"listeners": listeners_of(sockets)}, until)
        await self._receive(sock, until)
        if self._sock is None:
            raise HandoverError("the server is quitting")
        # From here to the end nothing else runs in this process.
        began = monotonic()
        until = began + limits.UPGRADE_TAKE_SECONDS
        leaving = Leaving(server) if known else None
        try:
            state = {"whole": True, **leaving.state} if leaving is not None else {"whole": False}
            send_parcel(sock, state, until)
            receive_answer(sock, until)
            retake = self._give_up()
            try:
                send_parcel(sock, {"commit": True}, until)
            except OSError:
                retake()
                raise
        except BaseException:
            if leaving is not None:
                leaving.go_on()
            raise
        # The new process owns it all: whatever fails here, nobody may end that one.
        self._supervision.handed(process)
        if leaving is not None:
            leaving.part()
            self._pasts = leaving.pasts
        try:
            server.close_listeners()
        except Exception:
            log.exception("upgrade: the listeners are not closed here")
        taken = {"listeners": len(sockets), **(leaving.taken if leaving is not None else {})}
        return {
            "good": True,
            "process": process.pid,
            "version": version,
            "taken": taken,
            "left": leaving.left if leaving is not None else len(server.clients),
            "whole": known,
            "paused_ms": round((monotonic() - began) * 1000),
        }

    async def _receive(self, sock: socket.socket, until: float) -> Parcel:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, receive_answer, sock, until)

    async def _end(self, process: subprocess.Popen[bytes], *, ends: bool) -> None:
        """End a process that has not taken over. *ends*: it has closed its socket, so its own status is worth a wait."""
        loop = asyncio.get_running_loop()
        for end in (*((lambda: None,) if ends else ()), process.terminate, process.kill):
            with suppress(OSError):
                end()
            with suppress(subprocess.TimeoutExpired):
                await loop.run_in_executor(None, process.wait, limits.STOP_SECONDS)
                return


async def let_go(server: Server, upgrade: Upgrade, ended: asyncio.Future[None]) -> None:
    """End what another process has not taken over: players over TLS, recordings, answers in progress.

    *ended*: done when the process is to end at once.
    """
    server.unready = "another process serves"
    if server.parts.cluster is not None:
        await server.parts.cluster.pulls.close()
        # An origin takes what the new process passes on once it has it from here no more.
        server.parts.cluster.relays.close()
    for client in list(server.clients):
        if client.publish:
            client.drop(EndReason.SERVER_STOPS)
    for protocol in server.connection_limit.open.protocols():
        if isinstance(protocol, RtmpConnection):
            # One that has asked for nothing yet would publish to nobody.
            protocol.drop(EndReason.SERVER_STOPS)
    if server.parts.hls is not None:
        await server.parts.hls.stop()
    await server.recorders.stop()
    await upgrade.finish()
    server.players.stopping = True
    server.hub.end_all()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limits.UPGRADE_DRAIN_SECONDS
    while server.connection_limit.open.busy() and loop.time() < deadline and not ended.done():
        await asyncio.sleep(limits.UPGRADE_DRAIN_STEP_SECONDS)


def _reason(error: Exception, process: subprocess.Popen[bytes]) -> str:
    if isinstance(error, HandoverError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "the new process did not answer in time"
    if isinstance(error, OSError | EOFError):
        return f"the new process ended, status {process.returncode}: its log or its terminal says why"
    return f"the state could not be handed over: {error!r}"


def receive_answer(sock: socket.socket, until: float) -> Parcel:
    """Wait for an answer of the new process. Raises HandoverError where it refuses, OSError and EOFError where it is gone."""
    parcel = receive_parcel(sock, until)
    if "refused" in parcel.values:
        raise HandoverError(str(parcel.values["refused"]))
    return parcel


def listeners_of(sockets: Any) -> list[dict[str, Any]]:
    """Return listening sockets by place, as `Takeover` reads them."""
    return [
        {
            "host": place.endpoint.host,
            "port": place.endpoint.port,
            "owner": place.owner,
            "fd": Descriptor(sock.fileno()),
        }
        for place, sock in sockets.items()
    ]
