"""How long a ClientHello is, told from its beginning: of real ones, whole and in pieces, and of what is none."""

from __future__ import annotations

import pytest
from model.hello import hello, records

from fastflv import limits
from fastflv.errors import TlsHandshakeError
from fastflv.net.clienthello import HANDSHAKE, wanted


@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_each_beginning_of_a_hello_wants_more_and_the_whole_wants_nothing(pieces):
    message = hello()[5:]
    whole = records(message, -(-len(message) // pieces))
    for cut in range(len(whole)):
        assert cut < wanted(whole[:cut]) <= len(whole)
    assert wanted(whole) <= len(whole)
    assert wanted(whole + b"more") <= len(whole)


def test_the_sizes_that_are_wanted_lead_to_the_end_in_two_steps_a_record():
    message = hello()[5:]
    whole = records(message, -(-len(message) // 3))
    size = steps = 0
    while (further := wanted(whole[:size])) > size:
        size = further
        steps += 1
    assert (size, steps) == (len(whole), 6)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x03" + bytes(1536),
        bytes([HANDSHAKE]) + b"\x03\x01\x00\x00",
        bytes([HANDSHAKE]) + b"\x03\x01\xff\xff",
        records(b"\x02" + bytes(20), 21),
        records(b"\x01\xff\xff\xff" + bytes(limits.HELLO_BYTES_MAX), 1 << 14),
    ],
    ids=["http", "rtmp", "empty record", "long record", "another message", "long message"],
)
def test_tls_itself_answers_what_is_no_hello(data):
    assert wanted(data) == 0


def test_a_hello_in_more_pieces_than_clients_make_is_refused():
    with pytest.raises(TlsHandshakeError, match="more than 16 records"):
        wanted(records(hello()[5:], 1))
