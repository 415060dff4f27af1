"""What others find a server by: its pid file, and the socket of commands beside it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from fastflv.control.commandsocket import Command, CommandSocket
from fastflv.control.process import PidFile
from fastflv.errors import StartupError

log = logging.getLogger(__name__)


class Presence:
    """A pid file with its socket; without a path nothing of it is there."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._pid: PidFile | None = None
        self._commands: CommandSocket | None = None
        self._starting: asyncio.Task[None] | None = None

    def take(self) -> None:
        """Write and lock the pid file. Raises StartupError."""
        if self._path is not None:
            self._pid = PidFile(self._path)

    async def listen(self, commands: Mapping[str, Command]) -> None:
        """Answer *commands* from now on."""
        if self._path is not None:
            self._commands = CommandSocket(self._path, commands)
            await self._commands.start()

    def hand_over(self) -> Callable[[], None]:
        """Leave both to another process; return what takes them again."""
        if self._commands is not None:
            self._commands.leave()
        if self._pid is not None:
            self._pid.leave()
        self._pid, pid = None, self._pid
        commands, self._commands = self._commands, None
        loop = asyncio.get_running_loop()

        def retake() -> None:
            self._commands = commands
            try:
                if pid is not None:
                    self.take()
            except StartupError as error:
                log.error("upgrade: %s", error)
            if commands is not None:
                self._starting = loop.create_task(commands.start())

        return retake

    async def stop(self) -> None:
        """Answer commands no more."""
        if self._commands is not None:
            await self._commands.stop()

    def release(self) -> None:
        """Remove the pid file."""
        if self._pid is not None:
            self._pid.release()
