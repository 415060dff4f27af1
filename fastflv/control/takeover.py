"""The new process of an upgrade: it takes listeners, publishers and players over from the process that started it."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import MutableMapping
from time import monotonic
from typing import Final

from fastflv import __version__, limits
from fastflv.config.endpoint import Endpoint
from fastflv.control.handover import Arriving
from fastflv.control.handoverform import form
from fastflv.control.listeners import Place, Plan
from fastflv.control.server import Server
from fastflv.errors import HandoverError, StartupError
from fastflv.net.parcel import Parcel, receive_parcel, send_parcel

log = logging.getLogger(__name__)

VARIABLE: Final = "FASTFLV_TAKEOVER"
"Names the descriptor of the socket to the process that has started this one."


class Takeover:
    """The socket to the old process.

    hello (format, version) -> listeners -> ready -> state -> taken -> commit. Up to the commit each side may end it:
    the new process says `refused` and ends, and the old one goes on.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._parcels: list[Parcel] = []
        self._arriving: Arriving | None = None
        self._plan: Plan | None = None
        self._watching: asyncio.Task[None] | None = None
        self._released = False

    @classmethod
    def inherited(cls, environ: MutableMapping[str, str]) -> Takeover | None:
        """Return the takeover that this process was started for; None for any other start."""
        word = environ.pop(VARIABLE, "")
        if not word.isdecimal():
            return None
        try:
            sock = socket.socket(fileno=int(word))
        except OSError:
            return None
        os.set_inheritable(sock.fileno(), False)
        return cls(sock)

    def refuse(self, why: str) -> None:
        """Tell the old process that this one cannot take over."""
        try:
            send_parcel(self._sock, {"refused": why})
        except OSError:
            log.info("upgrade: the old process is gone")

    async def begin(self, server: Server) -> None:
        """Take over, and serve. Raises StartupError; then the old process goes on."""
        try:
            await self._begin(server)
        except (HandoverError, StartupError, OSError, EOFError) as error:
            why = str(error) or "the old process ended it"
            self.refuse(why)
            raise StartupError(f"upgrade: {why}") from error
        finally:
            for parcel in self._parcels:
                parcel.close()
            self._parcels.clear()

    async def _begin(self, server: Server) -> None:
        until = monotonic() + limits.UPGRADE_START_SECONDS
        send_parcel(self._sock, {"format": form(), "version": __version__, "process": os.getpid()}, until)
        offered = await self._receive(until)
        handed = {}
        for row in offered.values["listeners"]:
            place = Place(Endpoint(str(row["host"]), int(row["port"])), str(row["owner"]))
            handed[place] = socket.socket(fileno=offered.take(row["fd"]))
        self._plan = server.prepare(handed=handed)
        send_parcel(self._sock, {"ready": True})
        state = await self._receive(until)
        if state.values.get("whole"):
            self._arriving = Arriving(server, self._plan, state)
        send_parcel(self._sock, {"taken": True})
        # The old process has the clock: a commit that it sent in time is never refused.
        commit = await self._receive(None)
        if not commit.values.get("commit"):
            raise HandoverError("the old process goes on")

    async def commit(self, server: Server) -> None:
        """Serve: the old process has let go of all that it handed over. What fails of that is logged, and the rest is served.

        Raises StartupError where nobody new could come. All connections have ended in order then, and so has the server.
        """
        try:
            if self._arriving is not None:
                await self._arriving.begin()
        except Exception:
            log.exception("upgrade: not all of what was handed over goes on")
        assert self._plan is not None
        try:
            server.commit(self._plan)
        except Exception as error:
            log.exception("upgrade: the listeners are not open, so this process ends")
            await server.stop()
            raise StartupError(f"upgrade: the listeners cannot be opened: {error}") from error
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        """Begin to write files once the old process writes none any more, take the past of streams, and see it end."""
        try:
            while True:
                await self._readable()
                await self._take_more()
        except (EOFError, OSError):
            # It has nothing more, or is gone.
            pass
        except HandoverError as error:
            log.error("upgrade: %s", error)
        finally:
            self._sock.close()
        self._release()
        self._arriving = None
        log.info("upgrade: process %d has the past of streams; the old one hands over no more", os.getpid())

    async def _take_more(self) -> None:
        until = monotonic() + limits.UPGRADE_PAST_SECONDS
        parcel = await self._receive(until)
        try:
            more = True
            if "released" in parcel.values:
                self._release()
            elif self._arriving is not None:
                more = self._arriving.take_past(parcel.values)
            send_parcel(self._sock, {"more": more}, until)
        finally:
            parcel.close()
            self._parcels.clear()

    def _release(self) -> None:
        """The old process writes no files any more."""
        if self._arriving is not None and not self._released:
            self._released = True
            self._arriving.released()

    async def _readable(self) -> None:
        """Wait for a parcel, or the end of the old process. A thread that waits would hold up the end of this one."""
        loop = asyncio.get_running_loop()
        there = asyncio.Event()
        loop.add_reader(self._sock, there.set)
        try:
            await there.wait()
        finally:
            loop.remove_reader(self._sock)

    async def _receive(self, until: float | None) -> Parcel:
        parcel = await asyncio.get_running_loop().run_in_executor(None, receive_parcel, self._sock, until)
        self._parcels.append(parcel)
        return parcel
