"""X-Forwarded-For, X-Real-IP, Forwarded and X-Forwarded-Proto: the walk from the right, and hostile lists."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.proxy import plain

from fastflv import limits
from fastflv.net.forwarded import Hop, read_node, read_viewer
from fastflv.net.networkset import NetworkSet

WORDS = ("10.0.0.0/8", "fd00::/8")
TRUSTED = NetworkSet(WORDS)
NODES = st.one_of(
    st.ip_addresses(v=4, network="10.0.0.0/8"),
    st.ip_addresses(v=6, network="fd00::/8"),
    st.ip_addresses(),
    st.sampled_from(("unknown", "_hidden", "a.example", "10.0.0.256", "10.1", "-")),
).map(str)


def slow_viewer(nodes):
    """The obvious rule over a list of hops, nearest last."""
    viewer = ""
    for node in reversed(nodes):
        try:
            ip = plain(node)
        except ValueError:
            return viewer
        viewer = ip
        if not any(ipaddress.ip_address(ip) in ipaddress.ip_network(word) for word in WORDS):
            return viewer
    return viewer


def viewer(**fields):
    return read_viewer({name.replace("_", "-"): value for name, value in fields.items()}, TRUSTED)


@given(st.lists(NODES, max_size=6), st.sampled_from((",", ", ", " ,\t", ", ,")))
def test_the_rightmost_stranger_is_the_viewer(nodes, comma):
    assert viewer(x_forwarded_for=comma.join(nodes)).ip == slow_viewer(nodes)


@given(st.lists(NODES, min_size=1, max_size=6), st.data())
def test_forwarded_says_the_same_as_the_plain_list(nodes, data):
    elements = []
    for node in nodes:
        ported = f"[{node}]" if ":" in node else node
        named = data.draw(st.sampled_from(("for=", "For=", "by=_me;FOR=", 'by="_a,b";for=')))
        port = data.draw(st.sampled_from(("", ":80", ":_p")))
        tail = data.draw(st.sampled_from(("", ";proto=http", ';host="a, b";proto=https')))
        elements.append(f'{named}"{ported}{port}"{tail}')
    assert viewer(forwarded=", ".join(elements)).ip == slow_viewer(nodes)


@pytest.mark.parametrize(
    ("text", "hop"),
    [
        ("192.0.2.1", Hop("192.0.2.1")),
        ("192.0.2.1:80", Hop("192.0.2.1", 80)),
        ("192.0.2.1:_secret", Hop("192.0.2.1")),
        ('"192.0.2.1:80"', Hop("192.0.2.1", 80)),
        ("2001:DB8:0::1", Hop("2001:db8::1")),
        ("[2001:db8::1]", Hop("2001:db8::1")),
        ("[2001:db8::1]:65535", Hop("2001:db8::1", 65535)),
        ("[fe80::1%eth0]:1", Hop("fe80::1", 1)),
        ("::ffff:192.0.2.1", Hop("192.0.2.1")),
        *(
            (text, None)
            for text in (
                *("", "unknown", "_hidden", "example.com", "192.0.2", "192.0.2.1.5", "192.0.2.1:65536"),
                *("192.0.2.1:", "192.0.2.1:x", "[2001:db8::1", "2001:db8::1]", "[]", "[]:80", "1:2", ":"),
                *("192.0.2.1\0", "\ud800:", "192.0.2.\u0661", "010.0.0.1"),
            )
        ),
    ],
)
def test_a_node_is_an_address_with_an_optional_port_or_nothing(text, hop):
    assert read_node(text) == hop


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Hop("")),
        ({"x_real_ip": "192.0.2.1"}, Hop("192.0.2.1")),
        ({"x_real_ip": "192.0.2.1", "x_forwarded_for": "192.0.2.2"}, Hop("192.0.2.2")),
        ({"x_real_ip": "192.0.2.1", "x_forwarded_for": ""}, Hop("192.0.2.1")),
        ({"x_real_ip": "192.0.2.1", "forwarded": "for=192.0.2.3"}, Hop("192.0.2.1")),
        ({"x_forwarded_for": "192.0.2.2", "forwarded": "for=192.0.2.3"}, Hop("192.0.2.2")),
        ({"x_forwarded_for": "garbage", "forwarded": "for=192.0.2.3"}, Hop("")),
        ({"forwarded": "proto=https"}, Hop("")),
        ({"forwarded": "for=192.0.2.3;proto=https"}, Hop("192.0.2.3", 0, True)),
        ({"forwarded": "for=192.0.2.3;proto=HTTP; by=_x"}, Hop("192.0.2.3", 0, False)),
        ({"forwarded": "for=192.0.2.3;for=192.0.2.4"}, Hop("")),
        ({"forwarded": "for = 192.0.2.3"}, Hop("")),
        ({"forwarded": 'for="192.0.2.\\3"'}, Hop("192.0.2.3")),
        ({"forwarded": 'for="192.0.2.3'}, Hop("")),
        ({"forwarded": 'for="192.0.2.9, for=192.0.2.3'}, Hop("192.0.2.3")),
        ({"forwarded": "for=192.0.2.9;proto=http, for=10.0.0.1;proto=https"}, Hop("192.0.2.9", 0, False)),
        ({"x_forwarded_proto": "https"}, Hop("", 0, True)),
        ({"x_forwarded_proto": "gopher"}, Hop("")),
        ({"x_forwarded_for": "192.0.2.2", "x_forwarded_proto": "wss"}, Hop("192.0.2.2", 0, True)),
        ({"x_forwarded_for": "192.0.2.2", "x_forwarded_proto": "https, http"}, Hop("192.0.2.2", 0, False)),
        (
            {"x_forwarded_for": "192.0.2.2,10.0.0.1", "x_forwarded_proto": "https, http"},
            Hop("192.0.2.2", 0, True),
        ),
        ({"x_forwarded_for": "192.0.2.2,10.0.0.1", "x_forwarded_proto": "https"}, Hop("192.0.2.2", 0, True)),
    ],
)
def test_one_field_decides_and_the_protocol_belongs_to_the_same_hop(fields, expected):
    assert viewer(**fields) == expected


def test_a_chain_of_trusted_addresses_only_names_the_farthest():
    assert viewer(x_forwarded_for="10.0.0.1, 10.0.0.2").ip == "10.0.0.1"


def test_a_hop_without_address_ends_the_walk_at_the_hop_before_it():
    assert viewer(x_forwarded_for="192.0.2.1, unknown, 10.0.0.2").ip == "10.0.0.2"


def test_a_list_without_end_is_read_from_the_right_up_to_its_bound():
    endless = ["10.9.9.9", *(f"10.0.0.{i}" for i in range(1, limits.FORWARDED_HOPS_MAX + 1))]
    assert viewer(x_forwarded_for=",".join(endless)).ip == "10.0.0.1"
    assert viewer(x_forwarded_for="192.0.2.1" + "," * limits.FORWARDED_HOPS_MAX).ip == ""
    assert viewer(forwarded='"' + "," * 100_000 + '"').ip == ""
