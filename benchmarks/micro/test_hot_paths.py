"""Hot paths in process, each beside a naive Python form. Run: `pytest benchmarks/micro --benchmark-only`.

Groups share a name; `extra_info` holds MB/s. A ratio within one run means something, a time does not.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

import pytest
from naive import NaiveChunkReader, naive_tag
from pytest_benchmark.fixture import BenchmarkFixture

from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv._ext.ingest.chunkwrite import write_message
from fastflv._ext.ingest.sink import MediaSink
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.ingest.tagread import TagReader
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.syntax.flvtag import make_tag
from fastflv.containers.flv.header import flv_header

BODY = b"\x27\x01\x00\x00\x00" + bytes(4091)
COUNT = 256


def wire(chunk_size: int, key: bool = False) -> bytes:
    """COUNT messages of 4 KB, 40 ms apart."""
    return b"".join(write_message(9, 40 * i, 1, 6, BODY, chunk_size) for i in range(COUNT))


def reader(chunk_size: int, sink: MediaSink) -> ChunkReader:
    made = ChunkReader()
    made.feed(write_message(1, 0, 0, 2, chunk_size.to_bytes(4, "big"), 128))
    made.set_sink(1, sink)
    return made


def run(benchmark: BenchmarkFixture, work: Callable[[], object], size: int) -> None:
    benchmark(work)
    benchmark.extra_info["MB/s"] = round(size / benchmark.stats.stats.median / 1e6)


@pytest.mark.parametrize("chunk_size", [128, 4096, 60_000])
def test_chunk_reassembly(benchmark: BenchmarkFixture, chunk_size: int) -> None:
    benchmark.group = f"reassembly of 4 KB messages, chunks of {chunk_size}"
    data = wire(chunk_size)
    made = reader(chunk_size, MediaSink())
    run(benchmark, lambda: made.feed(data), len(data))


@pytest.mark.parametrize("chunk_size", [128, 4096, 60_000])
def test_naive_chunk_reassembly(benchmark: BenchmarkFixture, chunk_size: int) -> None:
    benchmark.group = f"reassembly of 4 KB messages, chunks of {chunk_size}"
    data = wire(chunk_size)
    run(benchmark, lambda: NaiveChunkReader(chunk_size).feed(data), len(data))


def test_flv_to_log(benchmark: BenchmarkFixture) -> None:
    benchmark.group = "4 KB FLV tags to the log"
    data = flv_header(audio=True, video=True) + b"".join(make_tag(9, 40 * i, BODY) for i in range(COUNT))

    def publish() -> None:
        made = TagReader()
        made.sink = writer = StreamWriter(MediaLog())
        writer.begin(10)
        made.feed(data)
        writer.flush()

    run(benchmark, publish, len(data))


@pytest.mark.parametrize("chunk_size", [4096, 60_000])
def test_wire_to_log(benchmark: BenchmarkFixture, chunk_size: int) -> None:
    benchmark.group = f"RTMP bytes to FLV tags in the log, chunks of {chunk_size}"
    writer = StreamWriter(MediaLog())
    writer.begin(0)
    data = wire(chunk_size)
    made = reader(chunk_size, writer)

    def work() -> None:
        made.feed(data)
        writer.flush()

    run(benchmark, work, len(data))


@pytest.mark.parametrize("chunk_size", [4096, 60_000])
def test_naive_wire_to_log(benchmark: BenchmarkFixture, chunk_size: int) -> None:
    benchmark.group = f"RTMP bytes to FLV tags in the log, chunks of {chunk_size}"
    data = wire(chunk_size)

    def work() -> bytes:
        made = NaiveChunkReader(chunk_size)
        made.feed(data)
        return b"".join(naive_tag(*message) for message in made.messages)

    run(benchmark, work, len(data))


def test_tag(benchmark: BenchmarkFixture) -> None:
    benchmark.group = "one FLV tag of 4 KB"
    run(benchmark, lambda: make_tag(9, 40, BODY), len(BODY))


def test_naive_tag(benchmark: BenchmarkFixture) -> None:
    benchmark.group = "one FLV tag of 4 KB"
    run(benchmark, lambda: naive_tag(9, 40, BODY), len(BODY))


def test_no_python_object_is_left_or_made_per_message() -> None:
    writer = StreamWriter(MediaLog())
    writer.begin(0)
    made = reader(60_000, writer)
    data = wire(60_000)
    made.feed(data)
    gc.collect()
    gc.disable()
    try:
        before = sys.getallocatedblocks()
        for _ in range(20):
            made.feed(data)
            writer.flush()
        grown = sys.getallocatedblocks() - before
    finally:
        gc.enable()
    assert grown < COUNT // 8
