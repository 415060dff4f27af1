"""Part of a file as the body of an answer.

Disks block, so threads of the file pool open and read files. On a plain socket they also send: `sendfile`
copies from the page cache to the socket without passing through Python. The thread has a duplicate of the
socket's descriptor: the event loop may close its own at any time, and another connection may then get its number.
uvloop also refuses to watch a transport's own descriptor for writability. A full socket gives its thread back, unless its
client takes more within milliseconds and nobody waits for a thread.

TLS needs the bytes: a thread reads a piece, and the transport takes the next one when it has sent that.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import stat
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable

from fastflv import limits
from fastflv.net.filepool import FileShare


class FileSend(ABC):
    """Sends a head, with what else stands before them, and *size* bytes of a file from *offset* on; None: to its end."""

    def __init__(
        self, files: FileShare, file: str | int, offset: int, size: int | None,
        head_of: Callable[[int], bytes], done: Callable[[BaseException | None], None], missing: Callable[[], None],
        before: bytes, released: Callable[[], None] | None,
    ) -> None:  # fmt: skip
        """*file*: its path, or a descriptor that belongs to this object from now on. *head_of* makes the head for a size; a thread calls it.

        *before* stands between head and file. *released* is called once, in the loop, when it is held no more.

        One of these is called once, unless cancelled: *missing* when nothing was sent, because the file does
        not have the bytes; *done* with None when all was sent, else with the error of the file or the socket.
        """
        self._files = files
        self._named = file
        self._offset = offset
        self._size = size
        self._head_of = head_of
        self._before = before
        self._released = released
        self._begun = False
        "Head and *before* are handed over."
        self._done = done
        self._missing = missing
        self._file = -1
        "Descriptor of the file, once it was looked at."
        self._head = memoryview(b"")
        self._running = False
        self._over = False
        self.started = False
        self.left = sys.maxsize
        "Bytes that are not handed over; more than any file has until it is open."

    def start(self) -> None:
        self.started = True
        self._run()

    def cancel(self) -> None:
        """Send no more, and call nothing."""
        if not self._over:
            self._over = True
            if not self._running:
                self._close()

    def _run(self) -> None:
        self._running = True
        self._files.run(self._work).add_done_callback(self._worked)

    def _work(self) -> bytes | None:
        """Run in a thread: open the file the first time, then take a step."""
        if self._file < 0:
            self._open()
        return self._step()

    def _open(self) -> None:
        file, self._named = self._named, -1
        if isinstance(file, str):
            # A link could lead out of the directory; to open a pipe would wait for its writer.
            file = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            status = os.fstat(file)
            size = status.st_size - self._offset if self._size is None else self._size
            if not stat.S_ISREG(status.st_mode) or not 0 <= size <= status.st_size - self._offset:
                raise FileNotFoundError("the file does not have these bytes")
            self._head = memoryview(self._head_of(size) + self._before)
            self._before = b""
            self.left = size
        except BaseException:
            os.close(file)
            raise
        self._file = file

    def _worked(self, step: asyncio.Future[bytes | None]) -> None:
        self._running = False
        error = None if step.cancelled() else step.exception()
        if self._over or step.cancelled():
            self._over = True
            self._close()
            return
        if error is not None:
            self._over = True
            opened = self._file >= 0
            self._close()
            if opened:
                self._done(error)
            else:
                self._missing()
            return
        if self._begun:
            self._release()
        self._begun = not self._head
        self._proceed(step.result())

    def _finish(self) -> None:
        self._over = True
        self._close()
        self._done(None)

    def _close(self) -> None:
        for file in (self._file, self._named):
            if isinstance(file, int) and file >= 0:
                os.close(file)
        self._file = self._named = -1
        self._head, self._before = memoryview(b""), b""
        self._release()

    def _release(self) -> None:
        released, self._released = self._released, None
        if released is not None:
            released()

    @abstractmethod
    def _step(self) -> bytes | None:
        """Run in a thread. Raises OSError when it cannot go on."""

    @abstractmethod
    def _proceed(self, read: bytes | None) -> None:
        """Go on after a step, in the loop."""


class SocketFileSend(FileSend):
    """On a plain socket, whose transport has nothing buffered."""

    def take(self, fd: int) -> None:
        """Send on *fd*, a duplicate that belongs to this object from now on."""
        self._socket = socket.socket(fileno=fd)
        self._waits = False

    def _step(self) -> None:
        room = select.poll()
        room.register(self._socket, select.POLLOUT)
        turn = limits.HTTP_FILE_BYTES
        while (self._head or self.left) and not self._over:
            if turn <= 0:
                if self._files.crowded:
                    return
                turn = limits.HTTP_FILE_BYTES
            try:
                turn -= self._send(turn)
            except BlockingIOError:
                # The way over the event loop costs more than a client on a fast network takes for its next bytes.
                if self._files.crowded or not room.poll(limits.HTTP_FILE_WAIT_MS):
                    self._waits = True
                    return

    def _send(self, most: int) -> int:
        """Send up to *most* bytes; return how many. Raises BlockingIOError when the socket takes none."""
        if self._head:
            sent = self._socket.send(self._head, socket.MSG_MORE if self.left else 0)
            self._head = self._head[sent:]
            return sent
        sent = os.sendfile(self._socket.fileno(), self._file, self._offset, min(self.left, most))
        if not sent:
            raise EOFError("the file became shorter")
        self._offset += sent
        self.left -= sent
        return sent

    def _proceed(self, read: bytes | None) -> None:
        if self._waits:
            self._files.loop.add_writer(self._socket.fileno(), self._writable)
        elif self.left or self._head:
            self._run()
        else:
            self._finish()

    def _writable(self) -> None:
        self._stop_waiting()
        self._run()

    def _stop_waiting(self) -> None:
        if self._waits:
            self._waits = False
            self._files.loop.remove_writer(self._socket.fileno())

    def _close(self) -> None:
        super()._close()
        self._stop_waiting()
        self._socket.close()


class TransportFileSend(FileSend):
    """Through a transport, as TLS needs. The owner calls `resume` when the transport drains."""

    def take(self, write: Callable[[bytes], None], is_full: Callable[[], bool], *, head_only: bool) -> None:
        """Send by *write*, while *is_full* is false."""
        self._head_only = head_only
        self._write = write
        self._is_full = is_full
        self._waits = False

    def resume(self) -> None:
        if self._waits and not self._over:
            self._waits = False
            self._run()

    def _step(self) -> bytes:
        if self._head_only:
            self.left = 0
        piece = os.pread(self._file, min(self.left, limits.HTTP_FILE_PIECE_BYTES), self._offset)
        if not piece and self.left:
            raise EOFError("the file became shorter")
        self._offset += len(piece)
        self.left -= len(piece)
        head, self._head = self._head, memoryview(b"")
        return bytes(head) + piece

    def _proceed(self, read: bytes | None) -> None:
        assert read is not None
        self._write(read)
        if not self.left:
            self._finish()
        elif self._is_full():
            self._waits = True
        else:
            self._run()
