"""Answers of HTTP servers as a client reads them: bytes in; status, fields and pieces of the body out."""

from __future__ import annotations

import pytest

from fastflv import limits
from fastflv.errors import HttpReplyError
from fastflv.protocols.http.reply import Reply


def read(data: bytes, step: int = 1 << 20) -> tuple[Reply, bytes]:
    reply, body = Reply(), b""
    for at in range(0, len(data), step):
        body += b"".join(reply.feed(data[at : at + step]))
    return reply, body


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_a_body_is_handed_out_as_it_comes(step):
    reply, body = read(b"HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\n\r\nFLV\1\5" + bytes(100), step)
    assert (reply.status, reply.fields, body) == (
        200,
        {"content-type": "video/x-flv"},
        b"FLV\1\5" + bytes(100),
    )
    assert not reply.complete, "its end is that of the connection"


@pytest.mark.parametrize("step", [1, 1 << 20])
def test_chunks_are_joined_and_the_last_one_is_the_end(step):
    reply, body = read(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nFLV\r\n2\r\n\1\5\r\n0\r\n\r\nmore", step
    )
    assert (body, reply.complete) == (b"FLV\1\5", True)


@pytest.mark.parametrize("step", [1, 9, 1 << 20])
@pytest.mark.parametrize(
    "more",
    [b"HTTP/1.1 404 Not Found\r\nX: 1\r\nContent-Length: 4\r\n\r\nmore", b"HTTP/1.0 500 No\r\n\r\nmore"],
)
def test_an_answer_behind_the_end_is_nobodys_though_it_comes_in_the_same_bytes(step, more):
    reply, body = read(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nFLV\r\n" + more, step)
    assert (reply.status, reply.fields, body) == (200, {"content-length": "3"}, b"FLV")
    assert reply.complete


@pytest.mark.parametrize("step", [1, 1 << 20])
def test_an_answer_that_changes_the_protocol_is_an_error(step):
    with pytest.raises(HttpReplyError):
        read(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nFLV", step)
    after = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nFLV"
    reply, body = read(after + b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nmore", step)
    assert (reply.status, body) == (200, b"FLV")


@pytest.mark.parametrize("status", [b"000", b"099", b"199"])
@pytest.mark.parametrize("step", [1, 1 << 20])
def test_an_answer_without_a_status_has_no_body(status, step):
    reply, body = read(b"HTTP/1.1 " + status + b" X\r\nContent-Length: 3\r\n\r\nFLV", step)
    assert (reply.status, body, reply.complete) == (0, b"", False)


def test_interim_answers_are_left_out():
    reply, _ = read(
        b"HTTP/1.1 100 Continue\r\nX: 1\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"
    )
    assert (reply.status, reply.fields["location"], reply.complete) == (302, "/b", True)
    assert "x" not in reply.fields


@pytest.mark.parametrize(
    "data", [b"FLV\1\5\0\0\0\x09", b"HTTP/1.1 200 OK\r\nA: " + b"a" * limits.UPSTREAM_HEAD_BYTES_MAX]
)
def test_what_is_no_answer_or_a_head_without_end_is_an_error(data):
    with pytest.raises(HttpReplyError):
        read(data, 1000)
