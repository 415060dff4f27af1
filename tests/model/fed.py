"""A pair of sockets, and what takes the publish that comes over it."""

from __future__ import annotations

import socket

from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv._ext.ingest.inlet import Inlet
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.medialog import MediaLog


class Fed:
    """The publisher writes to `far`; media of message stream 1 goes from `reader` to `inlet`, which is on air."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        self.reader = ChunkReader()
        self.writer = StreamWriter(MediaLog())
        self.writer.begin(0)
        self.inlet = Inlet(self.writer)
        self.inlet.go_on_air()
        self.reader.set_sink(1, self.inlet)
