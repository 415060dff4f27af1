"""The chunk writer: the model and the reader get back what it wrote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.chunks import Decoder, Encoder, Message

from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv._ext.ingest.chunkwrite import write_message

MESSAGES = st.builds(
    Message,
    st.sampled_from([3, 4, 5, 6, 18, 20]),
    st.sampled_from([0, 40, 0xFFFFFE, 0xFFFFFF, 0x1000000, 0xFFFFFFFF]) | st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(2, 63),
    st.binary(max_size=9) | st.binary(min_size=120, max_size=400),
)
CHUNKS = st.sampled_from([1, 2, 127, 128, 129, 60000])


@given(MESSAGES, CHUNKS)
def test_a_message_is_written_as_the_model_writes_it(message, chunk_size):
    encoder = Encoder()
    encoder.chunk_size = chunk_size
    encoder.write(message)
    kind, timestamp, stream_id, chunk_stream, payload = message
    wire = write_message(kind, timestamp, stream_id, chunk_stream, memoryview(payload), chunk_size)
    assert wire == encoder.wire


@given(st.lists(MESSAGES, max_size=4), CHUNKS)
def test_the_model_and_the_reader_get_back_what_was_written(messages, chunk_size):
    size = Encoder()
    size.set_chunk_size(chunk_size)
    wire = bytes(size.wire)
    for kind, timestamp, stream_id, chunk_stream, payload in messages:
        wire += write_message(kind, timestamp, stream_id, chunk_stream, payload, chunk_size)
    assert Decoder().decode(wire) == messages
    reader = ChunkReader()
    found = []
    at = 0
    while True:
        at = reader.feed(wire, at)
        if reader.message is None:
            break
        found.append(reader.message)
    assert found == [tuple(message) for message in messages if message.is_read]


WRONG = {
    "chunk stream 1": (20, 0, 0, 1, b"", 128),
    "chunk stream 64": (20, 0, 0, 64, b"", 128),
    "chunk size 0": (20, 0, 0, 3, b"", 0),
    "a negative chunk size": (20, 0, 0, 3, b"", -1),
    "a message over 24 bits": (20, 0, 0, 3, bytes(0x1000000), 128),
    "a time over 32 bits": (20, 1 << 32, 0, 3, b"", 128),
    "a negative time": (20, -1, 0, 3, b"", 128),
    "no buffer": (20, 0, 0, 3, "text", 128),
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
def test_what_has_no_chunk_form_is_refused(arguments):
    with pytest.raises((ValueError, OverflowError, TypeError)):
        write_message(*arguments)
