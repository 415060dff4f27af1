"""A socket beside the pid file, by which commands on the same machine ask the running server.

A connection sends one line, the command, and is answered with one line of JSON. The socket has mode 0600, and
a peer has to be of the server's own user or of root.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping

from fastflv import limits

log = logging.getLogger(__name__)

CREDENTIALS = struct.Struct("3i")
"Process, user and group of a peer, as SO_PEERCRED has them."


def socket_path(pid_file: str) -> str:
    """Return the path of the socket of the server with that pid file."""
    return f"{pid_file}.sock"


Command = Callable[[], object]
"Returns what JSON can hold, or an awaitable of it."


class CommandSocket:
    """Answers commands. The pid file's lock is held, so no other server answers at the path."""

    def __init__(self, pid_file: str, commands: Mapping[str, Command]) -> None:
        """*commands*: by their line."""
        self._path = socket_path(pid_file)
        self._commands = commands
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. A path that cannot be used is a line in the log, and the server runs without."""
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
            self._server = await asyncio.start_unix_server(
                self._serve,
                sock=self._bound(),
                limit=limits.COMMAND_LINE_BYTES,
                backlog=limits.COMMAND_BACKLOG,
            )
        except OSError as error:
            log.warning(
                "no socket for `fastflv reload` at %s: %s; SIGHUP reloads all the same", self._path, error
            )

    def _bound(self) -> socket.socket:
        """Return a socket at the path that the server's user alone may use. Raises OSError."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            listener.bind(self._path)
        except OSError:
            listener.close()
            raise
        finally:
            os.umask(mask)
        return listener

    def leave(self) -> None:
        """Listen no more; the path stays, for another process. Commands in progress are answered."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    async def stop(self) -> None:
        """Listen no more, and remove the path."""
        if self._server is not None:
            self._server.close()
            self._server = None
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(limits.COMMAND_IDLE_SECONDS):
                line = await reader.readline()
            answer = self._answer(writer, line.decode("ascii", "replace").strip())
            if isinstance(answer, Awaitable):
                answer = await answer
            writer.write(json.dumps(answer).encode() + b"\n")
            async with asyncio.timeout(limits.COMMAND_IDLE_SECONDS):
                await writer.drain()
        except (TimeoutError, ValueError, OSError) as error:
            log.info("a command was not answered: %s", error or "nothing came")
        finally:
            writer.close()

    def _answer(self, writer: asyncio.StreamWriter, command: str) -> object:
        raw = writer.get_extra_info("socket").getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size
        )
        _, user, _ = CREDENTIALS.unpack(raw)
        if user not in (0, os.geteuid()):
            return {"good": False, "problems": [f"user {user} may not command this server"]}
        found = self._commands.get(command)
        if found is None:
            return {"good": False, "problems": [f"this server knows no command '{command}'"]}
        return found()
