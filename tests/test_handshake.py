"""The handshake of both sides: every form, against an independent signer, at any cut."""

from __future__ import annotations

import hashlib
import random
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model import signing

from fastflv.errors import HandshakeError
from fastflv.protocols.rtmp.handshake import ClientHandshake, Form, ServerHandshake

FORMS = {"simple": Form.SIMPLE, "schema 0": Form.SCHEMA0, "schema 1": Form.SCHEMA1}


def c1_of(form: Form, seed: int = 1) -> bytes:
    """C1 as a client of that form makes it."""
    head = bytes(8) if form is Form.SIMPLE else bytes(4) + b"\x09\0\x7c\x02"
    packet = head + random.Random(seed).randbytes(1528)
    return packet if form is Form.SIMPLE else signing.signed_c1(packet, 0 if form is Form.SCHEMA0 else 1)


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def talk(wire: bytes, places=()) -> tuple[ServerHandshake, bytes, int]:
    server = ServerHandshake(noise)
    output, used = b"", 0
    for a, b in pairwise([0, *sorted(places), len(wire)]):
        used += server.receive(wire[a:b])
        output += server.take_output()
    return server, output, used


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@given(seed=st.integers(0, 1 << 32))
def test_the_form_of_the_client_is_recognised(form, seed):
    server, output, _ = talk(b"\3" + c1_of(form, seed))
    assert server.form is form
    assert len(output) == 3073
    assert output[0] == 3
    assert not server.done


def test_a_simple_client_gets_its_own_bytes_back():
    c1 = c1_of(Form.SIMPLE)
    _, output, _ = talk(b"\3" + c1)
    assert output[1:9] == bytes(8)
    assert output[1537:] == c1


@pytest.mark.parametrize("schema", [0, 1])
@given(seed=st.integers(0, 1 << 32))
def test_a_signing_client_gets_signed_answers_in_its_layout(schema, seed):
    c1 = c1_of((Form.SCHEMA0, Form.SCHEMA1)[schema], seed)
    _, output, _ = talk(b"\3" + c1)
    s1, s2 = output[1:1537], output[1537:]
    assert s1[4:8] != bytes(4)
    assert signing.holds(s1, schema, signing.SERVER[:36])
    assert signing.s2_holds(s2, c1, schema)


def test_a_wrong_digest_is_a_simple_handshake():
    c1 = bytearray(c1_of(Form.SCHEMA0))
    c1[1000] ^= 1
    server, output, _ = talk(b"\3" + bytes(c1))
    assert server.form is Form.SIMPLE
    assert output[1537:] == c1


@given(
    st.sampled_from(list(FORMS.values())),
    st.booleans(),
    st.binary(max_size=20),
    st.lists(st.integers(0, 3093), max_size=6),
)
def test_any_cut_of_the_input_gives_the_same_answers(form, proxied, tail, places):
    prefix = b"\xf3\0\x06\xc0\0\2\1zz" if proxied else b""
    wire = prefix + b"\3" + c1_of(form) + bytes(1536) + tail
    server, output, used = talk(wire, [min(place, len(wire)) for place in places])
    assert server.done
    assert used == len(wire) - len(tail)
    assert output == talk(wire)[1]
    assert server.proxy_ip == ("192.0.2.1" if proxied else "")


def test_byte_by_byte_is_as_whole():
    wire = b"\xf3\0\4\x7f\0\0\1\3" + c1_of(Form.SCHEMA1) + bytes(1536) + b"rest"
    assert talk(wire, range(1, len(wire)))[1:] == talk(wire)[1:]


def test_s2_does_not_wait_for_c2():
    server = ServerHandshake(noise)
    server.receive(b"\3" + c1_of(Form.SIMPLE))
    assert len(server.take_output()) == 3073
    assert server.take_output() == b""
    assert server.receive(bytes(1535)) == 1535
    assert not server.done
    assert server.receive(bytes(2)) == 1
    assert server.done
    assert server.receive(b"more") == 0


WRONG = {
    "HTTP": b"GET / HTTP/1.1\r\n",
    "version 6, encrypted": b"\6",
    "version 0": b"\0",
    "a second proxy prefix": b"\xf3\0\4\x7f\0\0\1\xf3",
    "a proxy prefix without an address": b"\xf3\0\3",
    "a proxy prefix too long": b"\xf3\xff\xff",
}


@pytest.mark.parametrize("wire", WRONG.values(), ids=WRONG)
def test_what_is_not_rtmp_is_refused(wire):
    with pytest.raises(HandshakeError):
        talk(wire)
    with pytest.raises(HandshakeError):
        talk(wire, range(len(wire)))


@given(st.binary(max_size=4000))
def test_any_bytes_are_a_handshake_or_a_handshake_error(wire):
    try:
        _, _, used = talk(wire)
    except HandshakeError:
        return
    assert used <= len(wire)


def test_noise_makes_the_answer_and_the_same_noise_the_same_answer():
    wire = b"\3" + c1_of(Form.SIMPLE)

    def answer(seed):
        server = ServerHandshake(partial(noise, seed=seed))
        server.receive(wire)
        return server.take_output()

    assert answer(1) == answer(1)
    assert answer(1)[9:1537] == noise(1528)
    assert answer(1)[9:1537] != answer(2)[9:1537]


@given(st.lists(st.integers(0, 3083), max_size=6))
def test_client_and_server_of_our_own_finish_at_any_cut(places):
    server, client = ServerHandshake(noise), ClientHandshake(partial(noise, seed=2))
    server.receive(client.take_output())
    assert server.form is Form.SIMPLE
    wire = server.take_output() + b"after it"
    used, c2 = 0, b""
    for a, b in pairwise([0, *sorted(min(place, len(wire)) for place in places), len(wire)]):
        used += client.receive(wire[a:b])
        c2 += client.take_output()
    assert client.done
    assert used == 3073
    assert c2 == wire[1:1537]
    assert server.receive(c2) == 1536
    assert server.done


def test_the_client_sends_c2_before_s2_is_there():
    client = ClientHandshake(noise)
    client.take_output()
    client.receive(b"\3" + bytes(1536))
    assert client.take_output() == bytes(1536)
    assert not client.done


def test_the_client_refuses_another_version():
    client = ClientHandshake(noise)
    assert client.receive(b"") == 0
    with pytest.raises(HandshakeError):
        client.receive(b"H")


def test_the_model_signs_as_rfc_2104_says():
    import hmac

    assert signing.hmac_sha256(b"k" * 70, b"text") == hmac.digest(b"k" * 70, b"text", hashlib.sha256)
