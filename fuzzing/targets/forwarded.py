"""Header fields of proxies: any fields give an address or none."""

from __future__ import annotations

from fastflv.net.forwarded import read_viewer
from fastflv.net.ip import canonical
from fastflv.net.networkset import NetworkSet

TRUSTED = NetworkSet(("10.0.0.0/8", "fd00::/8"))

SEEDS = (b"192.0.2.1", b'for="[2001:db8::7]:80";proto=https, for=10.0.0.1', b"192.0.2.1, 10.0.0.1")
WORDS = (
    b"for=",
    b'"',
    b",",
    b";",
    b"\\",
    b"[::1]",
    b"10.0.0.1",
    b"192.0.2.1",
    b":80",
    b"proto=https",
    b" ",
    b"=",
)


def check(data: bytes) -> None:
    """Hold that any fields give an address or none, and that a viewer cannot alter what a proxy appends."""
    text = data.decode("latin-1")
    for name in ("x-forwarded-for", "x-real-ip", "forwarded", "x-forwarded-proto"):
        viewer = read_viewer({name: text}, TRUSTED)
        assert canonical(viewer.ip) == viewer.ip
        assert 0 <= viewer.port <= 65535
    read_viewer({"forwarded": f'for="{text}";proto={text}, for=10.0.0.1'}, TRUSTED)
    assert read_viewer({"x-forwarded-for": f"{text}, 192.0.2.7"}, TRUSTED).ip == "192.0.2.7"
    for node in ("192.0.2.7", '"[2001:db8::7]:80"', '"192.0.2.7:80"'):
        viewer = read_viewer({"forwarded": f"{text}, for={node};proto=https"}, TRUSTED)
        assert viewer.ip in ("192.0.2.7", "2001:db8::7")
        assert viewer.secure is True
