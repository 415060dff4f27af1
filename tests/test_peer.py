"""Who is at the other end: socket addresses, PROXY headers, header fields of trusted proxies, sets of networks."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.proxy import plain

from fastflv.net.ip import canonical, packed, spelled
from fastflv.net.networkset import NetworkSet, read_network
from fastflv.net.peer import Peer
from fastflv.net.proxyprotocol import Header

NOBODY = NetworkSet()
TRUSTED = NetworkSet(("10.0.0.0/8", "::1"))
PROXY = Peer.accepted(("10.0.0.9", 50000), 8080)
VIEWER = Peer.accepted(("192.0.2.1", 50000), 8080)
FIELDS = {"x-forwarded-for": "198.51.100.7", "x-forwarded-proto": "https"}


@given(st.ip_addresses())
def test_an_address_has_one_spelling(address):
    assert ipaddress.ip_address(canonical(str(address))) == ipaddress.ip_address(plain(str(address)))
    assert canonical(str(address).upper()) == canonical(address.exploded) == canonical(str(address))
    assert canonical(canonical(str(address))) == canonical(str(address))
    assert spelled(address.packed) == canonical(str(address))


@given(st.text(max_size=20))
def test_any_text_is_an_address_or_none(text):
    assert canonical(text) == "" or packed(text.partition("%")[0])


@pytest.mark.parametrize(
    ("remote", "ip", "port"),
    [
        (("192.0.2.1", 50000), "192.0.2.1", 50000),
        (("::ffff:192.0.2.1", 50000, 0, 0), "192.0.2.1", 50000),
        (("2001:db8::1", 50000, 0, 0), "2001:db8::1", 50000),
        (("fe80::1%eth0", 50000, 0, 2), "fe80::1", 50000),
        ("", "", 0),
        ("/run/proxy.sock", "", 0),
        (b"\0abstract", "", 0),
        (None, "", 0),
    ],
)
def test_a_socket_address_of_each_family_is_read(remote, ip, port):
    assert Peer.accepted(remote, 1935, True) == Peer(ip, ip, port, 1935, True)


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_real_connection_gives_its_peer(family, host):
    with socket.socket(family) as listener:
        try:
            listener.bind((host, 0))
        except OSError:
            pytest.skip(f"this machine has no {host}")
        listener.listen(1)
        with socket.create_connection(listener.getsockname()[:2]) as client:
            server, _ = listener.accept()
            with server:
                peer = Peer.accepted(server.getpeername(), server.getsockname()[1])
            assert peer == Peer(host, host, client.getsockname()[1], listener.getsockname()[1])


def test_a_pair_of_unix_sockets_has_a_peer_without_address():
    one, other = socket.socketpair()
    with one, other:
        assert Peer.accepted(one.getpeername(), 0) == Peer("", "")


def test_a_proxy_header_names_the_viewer():
    header = Header(28, "192.0.2.7", 40000, "198.51.100.1", 443, secure=True)
    expected = Peer("192.0.2.7", "10.0.0.9", 40000, 8080, True)
    assert PROXY.proxied(header, NOBODY) == expected
    assert PROXY.proxied(header, TRUSTED) == expected


def test_a_proxy_header_of_a_stranger_is_not_believed():
    assert VIEWER.proxied(Header(28, "192.0.2.7", 40000, "198.51.100.1", 443), TRUSTED) is VIEWER


def test_a_local_proxy_header_leaves_the_sockets_address():
    assert PROXY.proxied(Header(16), TRUSTED) is PROXY


def test_tls_that_passes_through_a_tcp_proxy_stays_secure():
    through = Peer.accepted(("10.0.0.9", 1), 443, True)
    assert through.proxied(Header(28, "192.0.2.7", 4, "10.0.0.1", 443), TRUSTED).secure


def test_a_trusted_proxy_names_the_viewer_of_one_request():
    assert PROXY.told(FIELDS, TRUSTED) == Peer("198.51.100.7", "10.0.0.9", 0, 8080, True)
    assert PROXY.ip == "10.0.0.9"


def test_a_stranger_names_nobody():
    assert VIEWER.told(FIELDS, TRUSTED) is VIEWER


def test_without_trusted_proxies_nobody_is_believed():
    assert PROXY.told(FIELDS, NOBODY) is PROXY


def test_the_client_of_a_trusted_tcp_proxy_is_a_stranger():
    viewer = PROXY.proxied(Header(28, "192.0.2.7", 4, "10.0.0.1", 443), TRUSTED)
    assert viewer.told(FIELDS, TRUSTED) is viewer


def test_an_http_proxy_behind_a_tcp_proxy_is_believed():
    inner = PROXY.proxied(Header(28, "10.0.0.5", 4, "10.0.0.1", 443), TRUSTED)
    assert inner.told(FIELDS, TRUSTED) == Peer("198.51.100.7", "10.0.0.9", 0, 8080, True)


@pytest.mark.parametrize(
    "fields", [{}, {"x-forwarded-for": "garbage"}, {"forwarded": 'for="'}, {"host": "a"}]
)
def test_fields_that_say_nothing_change_nothing(fields):
    assert PROXY.told(fields, TRUSTED) is PROXY


def test_the_protocol_alone_changes_only_whether_the_peer_is_secure():
    assert PROXY.told({"x-forwarded-proto": "https"}, TRUSTED) == Peer(
        "10.0.0.9", "10.0.0.9", 50000, 8080, True
    )
    assert PROXY.told({"x-forwarded-proto": "http"}, TRUSTED) is PROXY


def test_the_protocol_of_the_viewer_counts_not_that_of_the_proxys_link():
    linked = Peer.accepted(("10.0.0.9", 50000), 8443, True)
    assert not linked.told({"x-forwarded-for": "192.0.2.7", "x-forwarded-proto": "http"}, TRUSTED).secure


ADDRESSES = st.one_of(
    st.integers(0, 7).map(lambda low: f"10.0.0.{low}"), st.sampled_from(("::1", "::2", "2001:db8::"))
)
WORDS = st.tuples(ADDRESSES, st.integers(0, 32)).map(lambda pair: f"{pair[0]}/{pair[1]}") | ADDRESSES


@given(st.lists(WORDS, max_size=5), ADDRESSES)
def test_a_set_of_networks_answers_as_the_slow_loop_does(words, address):
    found = NetworkSet(words).find(address)
    holders = [
        word for word in words if ipaddress.ip_address(address) in ipaddress.ip_network(word, strict=False)
    ]
    assert (address in NetworkSet(words)) == bool(holders)
    assert found in holders if holders else found is None
    if holders:
        longest = max(ipaddress.ip_network(word, strict=False).prefixlen for word in holders)
        assert ipaddress.ip_network(found, strict=False).prefixlen == longest


def test_a_mapped_network_holds_ipv4_addresses():
    assert "10.1.2.3" in NetworkSet(("::ffff:10.0.0.0/104",))
    assert read_network("::ffff:10.0.0.1") == ipaddress.IPv4Network("10.0.0.1/32")
    assert "10.1.2.3" not in NetworkSet(("::/0",))


def test_no_address_is_in_no_network():
    assert "" not in NetworkSet(("0.0.0.0/0", "::/0"))
    assert "unknown" not in NetworkSet(("0.0.0.0/0", "::/0"))


@pytest.mark.parametrize(
    "word", ["", "all", "10.0.0.0/33", "10.0.0.256", "host.example", "10.0.0.0/-1", "[::1]"]
)
def test_a_word_that_is_no_network_is_refused_with_a_sentence(word):
    with pytest.raises(ValueError, match="is neither an IP address nor a network"):
        NetworkSet(("10.0.0.0/8", word))
