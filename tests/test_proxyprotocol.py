"""PROXY protocol headers: written by a model, read whole, cut anywhere, and hostile."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model import proxy as model

from fastflv import limits
from fastflv.errors import ProxyHeaderError
from fastflv.net.proxyprotocol import HEADER_BYTES_MAX, LINE_BYTES_MAX, Header, read_header

PORTS = st.integers(0, 65535)
PAIRS = st.one_of(*(st.tuples(each, each) for each in (st.ip_addresses(v=4), st.ip_addresses(v=6))))
ENDS = st.tuples(PAIRS, PORTS, PORTS).map(lambda ends: (str(ends[0][0]), ends[1], str(ends[0][1]), ends[2]))
OPTIONS = st.lists(
    st.binary(max_size=40).flatmap(
        lambda value: st.integers(0, 255).filter(lambda kind: kind != 0x20).map(lambda kind: (kind, value))
    ),
    max_size=4,
)


def expected(wire, ends, secure=False):
    source, source_port, destination, destination_port = ends
    return Header(
        len(wire), *(model.plain(source), source_port, model.plain(destination), destination_port, secure)
    )


def family(ends):
    return 0x11 if ipaddress.ip_address(ends[0]).version == 4 else 0x21


@st.composite
def headers(draw):
    """A valid header and what it says."""
    ends = draw(ENDS)
    if draw(st.booleans()):
        wire = model.line(*ends)
        return wire, expected(wire, ends)
    secure = draw(st.sampled_from((None, False, True)))
    options = [model.option(*each) for each in draw(OPTIONS)]
    if secure is not None:
        options.insert(
            draw(st.integers(0, len(options))), model.tls_option(secure, draw(st.binary(max_size=20)))
        )
    wire = model.binary(model.block(*ends) + b"".join(options), family=family(ends))
    return wire, expected(wire, ends, bool(secure))


@given(headers(), st.binary(max_size=50))
def test_a_header_says_what_its_writer_was_given_and_ends_where_the_client_begins(case, rest):
    wire, header = case
    assert read_header(wire + rest) == header


@given(headers())
def test_every_truncation_of_a_header_asks_for_more(case):
    wire, header = case
    assert not header.local
    assert all(read_header(wire[:cut]) is None for cut in range(len(wire)))


@given(st.binary(max_size=300))
def test_random_bytes_are_refused_or_unfinished(data):
    for start in (b"", b"PROXY ", b"PROXY TCP4 ", model.SIGNATURE, model.SIGNATURE + b"\x21\x11"):
        try:
            header = read_header(start + data)
        except ProxyHeaderError:
            continue
        assert header is None or 0 < header.size <= len(start + data)


@given(headers(), st.data())
def test_a_damaged_header_is_refused_unfinished_or_stays_within_its_bytes(case, data):
    wire = bytearray(case[0])
    wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    try:
        header = read_header(bytes(wire))
    except ProxyHeaderError as error:
        assert 0 <= error.offset <= len(wire)
        return
    assert header is None or header.size <= len(wire)


@pytest.mark.parametrize(
    "wire",
    [
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n",
        model.binary(b"", command=0, family=0),
        model.binary(b"", command=0, family=0x11),
        model.binary(b"\xff\xff\xff", command=0),
        model.binary(b"any", family=0),
        model.binary(bytes(216), family=0x31),
        model.binary(model.block("1.2.3.4", 1, "5.6.7.8", 2), family=0x12),
    ],
)
def test_a_header_without_addresses_leaves_the_sockets_own(wire):
    header = read_header(wire + b"GET")
    assert header == Header(len(wire))
    assert header.local


@pytest.mark.parametrize(
    "wire",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x03",
        b"PROXX",
        b"\r\n\r\n\0\r\nQUIX",
        b"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY \r\n",
        b"PROXY TCP4\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
        b"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 \xb2\r\n",
        b"PROXY TCP4 1.2.3.4 ::1 1 2\r\n",
        b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n",
        b"PROXY TCP4 localhost 1.2.3.4 1 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
        b"PROXY UNKNOWN " + b"x" * LINE_BYTES_MAX,
        model.binary(b"", command=2),
        model.SIGNATURE + b"\x11\x11\0\0",
        model.binary(bytes(12), family=0x41),
        model.binary(bytes(12), family=0x13),
        model.binary(bytes(11)),
        model.binary(bytes(35), family=0x21),
        model.binary(bytes(215), family=0x31),
        model.SIGNATURE + b"\x21\x11\xff\xff",
        model.binary(bytes(12) + b"\x04"),
        model.binary(bytes(12) + b"\x04\x00"),
        model.binary(bytes(12) + b"\x04\x00\x02a"),
        model.binary(bytes(12) + model.option(0x20, b"\1\0\0\0")),
    ],
)
def test_what_is_no_header_is_refused(wire):
    with pytest.raises(ProxyHeaderError) as caught:
        read_header(wire)
    assert caught.value.code == 2401


def test_the_longest_headers_are_read():
    address = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
    line = model.line(address, 65535, address, 65535)
    assert read_header(line).source_ip == address
    unknown = b"PROXY UNKNOWN " + b"x" * (LINE_BYTES_MAX - 16) + b"\r\n"
    assert read_header(unknown) == Header(LINE_BYTES_MAX)
    body = model.block("1.2.3.4", 1, "5.6.7.8", 2)
    body += model.option(4, bytes(limits.PROXY_HEADER_BYTES_MAX - len(body) - 3))
    assert read_header(model.binary(body)).size == HEADER_BYTES_MAX
    with pytest.raises(ProxyHeaderError):
        read_header(model.binary(body + b"x"))


def test_the_signature_of_aws_with_its_options_is_read():
    """A header as Network Load Balancers write it: an endpoint id, and CRC-32C and padding that are skipped."""
    options = (
        model.option(0xEA, b"\x01vpce-08d2bf15fac5001c9")
        + model.option(3, b"\1\2\3\4")
        + model.option(4, b"")
    )
    wire = model.binary(model.block("192.0.2.1", 40000, "198.51.100.9", 1935) + options)
    assert read_header(wire) == Header(len(wire), "192.0.2.1", 40000, "198.51.100.9", 1935)
