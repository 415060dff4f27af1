"""The clips of a server: made once for all who ask at once, and kept for a while for ranges of them."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from fastflv import limits
from fastflv._ext.log.excerpt import Excerpt
from fastflv.errors import FilesBusyError, UsageError
from fastflv.net.filepool import FileShare
from fastflv.protocols.http.validators import Validators
from fastflv.servers.files.opening import OpenFile
from fastflv.stream.moment import ClipWish
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream


class ClipKey(NamedTuple):
    """Clips whose keys are equal have equal bytes."""

    name: StreamName
    stream: str
    "Its id."
    container: str
    start: int
    "Log positions."
    stop: int


Taken = Callable[["Clip | str"], None]
"Takes a clip, or a sentence that says why there is none."


@dataclass(slots=True)
class Clip:
    """A finished clip. Its memory is freed with the last descriptor."""

    key: ClipKey
    fd: int
    size: int
    validators: Validators
    used: float
    "Monotonic clock of the last request, seconds."
    askers: set[str] = field(default_factory=set)
    "Of those whose further ranges are of this clip."

    def open(self) -> OpenFile:
        """Return the file for one answer. Raises OSError without a descriptor."""
        return OpenFile(f"clip.{self.key.container}", self.size, self.validators, os.dup(self.fd))


class Clips:
    """Makes clips on threads, within bounds of memory."""

    def __init__(self, files: FileShare) -> None:
        self._files = files
        self._kept: OrderedDict[ClipKey, Clip] = OrderedDict()
        "The one asked for last is the last."
        self._made: dict[ClipKey, list[Taken]] = {}
        "Who waits for clips that are being made."
        self._sizes: dict[ClipKey, int] = {}
        "Bytes that are counted for each clip that is made or kept."
        self._timer: asyncio.TimerHandle | None = None

    @property
    def bytes(self) -> int:
        """Memory of all clips, bytes."""
        return sum(self._sizes.values())

    def close(self) -> None:
        """The server stops."""
        if self._timer is not None:
            self._timer.cancel()
        for key in list(self._kept):
            self._drop(key)

    def find(self, name: StreamName, container: str, etag: str, asker: str) -> Clip | None:
        """Return the clip of which a request wants a further range: by its tag, or the last one that *asker* had."""
        for clip in reversed(self._kept.values()):
            known = clip.validators.etag == etag if etag else asker in clip.askers
            if known and clip.key.name == name and clip.key.container == container:
                self._use(clip)
                return clip
        return None

    def make(self, stream: Stream, container: str, wish: ClipWish, asker: str, taken: Taken) -> None:
        """Make the clip of *wish*, or take one that is there; *taken* is called at once or later.

        Raises UsageError where nothing lies between its ends or too much, FilesBusyError without room.
        """
        excerpt = stream.timeshift.excerpt(wish)
        if excerpt.size > limits.CLIP_BYTES_MAX:
            most = limits.CLIP_BYTES_MAX >> 20
            raise UsageError(f"{wish.text} is a clip of {excerpt.size >> 20} MiB, and it may have {most} MiB")
        key = ClipKey(stream.name, stream.id, container, excerpt.position, excerpt.stop)
        self.cut(key, excerpt, partial(_write, container), partial(self._take, asker, taken))

    def cut(self, key: ClipKey, excerpt: Excerpt, write: Callable[[Excerpt], int], taken: Taken) -> None:
        """Have *write* make the file of *excerpt* on a thread, or take the one of *key* that is there.

        *taken* is called at once or later. Raises FilesBusyError without room.
        """
        known = self._kept.get(key)
        if known is not None:
            self._use(known)
            taken(known)
            return
        if key in self._made:
            self._made[key].append(taken)
            return
        bound = limits.CLIPS_BYTES_MAX - excerpt.size
        while self._kept and (self.bytes > bound or len(self._sizes) >= limits.CLIPS_MAX):
            self._drop(next(iter(self._kept)))
        if self.bytes > bound:
            raise FilesBusyError("the clips that are being made take all the memory that they may")
        writing = self._files.run(write, excerpt)
        self._sizes[key] = excerpt.size
        self._made[key] = [taken]
        writing.add_done_callback(partial(self._finished, key))

    def _finished(self, key: ClipKey, writing: asyncio.Future[int]) -> None:
        waiting = self._made.pop(key)
        error = None if writing.cancelled() else writing.exception()
        if writing.cancelled() or error is not None:
            del self._sizes[key]
            for taken in waiting:
                taken(f"the clip could not be made: {error or 'the server stops'}")
            return
        fd = writing.result()
        status = os.fstat(fd)
        validators = Validators.of_file(status.st_size, status.st_mtime_ns, status.st_ino)
        clip = Clip(key, fd, status.st_size, validators, 0.0)
        self._kept[key] = clip
        self._sizes[key] = clip.size
        self._use(clip)
        for taken in waiting:
            taken(clip)

    def _take(self, asker: str, taken: Taken, clip: Clip | str) -> None:
        if isinstance(clip, Clip):
            clip.askers.add(asker)
        taken(clip)

    def _use(self, clip: Clip) -> None:
        clip.used = self._files.loop.time()
        self._kept.move_to_end(clip.key)
        if self._timer is None:
            self._timer = self._files.loop.call_later(limits.CLIP_KEEP_SECONDS, self._expire)

    def _expire(self) -> None:
        """Drop what nobody asked for lately."""
        self._timer = None
        late = self._files.loop.time() - limits.CLIP_KEEP_SECONDS
        while self._kept:
            oldest = next(iter(self._kept.values()))
            if oldest.used > late:
                self._timer = self._files.loop.call_later(oldest.used - late, self._expire)
                return
            self._drop(oldest.key)

    def _drop(self, key: ClipKey) -> None:
        os.close(self._kept.pop(key).fd)
        del self._sizes[key]


def _write(container: str, excerpt: Excerpt) -> int:
    # On a thread: the writers of all containers take 0.3 MB.
    from fastflv.servers.clips.clipfile import write_clip

    return write_clip(container, excerpt)
