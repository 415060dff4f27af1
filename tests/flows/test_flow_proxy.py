"""PROXY headers: those of trusted proxies name the viewer, and those of nobody else."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from clientsocket import connect
from flvread import flv_file
from model.proxy import binary, block, line, tls_option
from proxyclients import rtmp_player
from proxysite import (
    ALL,
    BANNED,
    BLOCK,
    HEADERS,
    LINE,
    OPENINGS,
    STRANGER,
    STREAMING,
    UNNAMED,
    VIEWER,
    Site,
    is_dropped,
)
from publisher import Publisher, Refused, headers
from server import HOST, until
from tlsfiles import trusting

# --- PROXY headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("listener", STREAMING)
def test_the_viewer_of_a_header_stands_in_api_and_log(proxied: Site, listener: str, header: str) -> None:
    before, viewer = HEADERS[header]
    with proxied.playing(listener, before):
        row = proxied.check(viewer)
        assert row["type"] == ("rtmp-play" if listener.startswith("rtmp") else "flv-play")


@pytest.mark.parametrize("version", UNNAMED)
@pytest.mark.parametrize("listener", STREAMING)
def test_a_connection_of_the_proxy_itself_has_its_address(proxied: Site, listener: str, version: str) -> None:
    with proxied.playing(listener, UNNAMED[version]):
        proxied.check(HOST)


@pytest.mark.parametrize("header", ["v1", "v2"])
def test_publishers_are_named_too(proxied: Site, header: str) -> None:
    before, viewer = HEADERS[header]
    with Publisher(proxied.ports["rtmp"]) as publisher:
        publisher.raw(before)
        publisher.publish("mine")
        assert proxied.check(viewer)["publish"]
    pushed = b"PUT /live/pushed.flv HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + flv_file(
        headers()
    )
    with connect(proxied.ports["http"], before=before + pushed):
        until(lambda: proxied.newest()["name"] == "pushed", "push")
        assert proxied.check(viewer)["type"] == "flv-publish"


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("listener", ["http", "https", "api"])
def test_header_and_request_may_come_in_one_piece_or_in_single_bytes(
    proxied: Site, listener: str, header: str
) -> None:
    before, _ = HEADERS[header]
    target = "/api/v1/versions" if listener == "api" else "/none"
    wanted = 200 if listener == "api" else 404
    if listener != "https":
        request = before + f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        with proxied.http(listener, before=request) as client:
            assert client.heard().status == wanted
    with (
        proxied.http(listener, before=before[:1])
        if listener != "https"
        else connect(proxied.ports[listener], before=before[:1]) as client
    ):
        sock = client if isinstance(client, socket.socket) else client.sock
        for byte in before[1:200]:
            sock.sendall(bytes([byte]))
        sock.sendall(before[200:])
        if isinstance(client, socket.socket):
            with trusting().wrap_socket(client, server_hostname=HOST) as tls:
                tls.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                assert tls.recv(100).startswith(b"HTTP/1.1 404")
        else:
            assert client.ask(target).status == wanted


def test_a_proxy_that_took_the_tls_off_says_so(proxied: Site) -> None:
    for secure, scheme in ((True, "https"), (False, "http")):
        with proxied.playing("http", binary(BLOCK + tls_option(secure))):
            assert proxied.check(VIEWER)["tcUrl"] == f"{scheme}://x/live"


@pytest.mark.parametrize("listener", ALL)
def test_a_connection_without_a_header_is_refused(proxied: Site, listener: str) -> None:
    mark = len(proxied.server.log.lines)
    assert is_dropped(connect(proxied.ports[listener], before=OPENINGS[listener]))
    said = proxied.server.log.wait(r"127.0.0.1 closed: .*a PROXY header was expected", mark)
    assert said.split()[4].lower() == listener


@pytest.mark.parametrize("listener", ALL)
@pytest.mark.parametrize(
    "header",
    [
        b"PROXY TCP4 300.1.1.1 192.0.2.1 1 2\r\n",
        b"PROXY TCP4 198.51.100.7 192.0.2.1 1\r\n",
        b"PROXY " + b"x" * 200,
        binary(BLOCK)[:12] + b"\x31" + binary(BLOCK)[13:],
        binary(BLOCK, family=0x21),
    ],
    ids=["address", "words", "endless", "version 3", "short"],
)
def test_a_broken_header_closes_that_connection_with_a_reason(
    proxied: Site, listener: str, header: bytes
) -> None:
    mark = len(proxied.server.log.lines)
    assert is_dropped(connect(proxied.ports[listener], before=header + OPENINGS[listener]))
    proxied.server.log.wait(r"127.0.0.1 closed: ", mark)
    assert len(proxied.server.log.find(r" closed: ", mark)) == 1


@pytest.mark.parametrize("header", ["v1", "v2"])
@pytest.mark.parametrize("listener", ALL)
def test_a_header_on_a_listener_without_it_breaks_the_protocol(
    plain: Site, listener: str, header: str
) -> None:
    mark = len(plain.server.log.lines)
    with connect(plain.ports[listener], before=HEADERS[header][0] + OPENINGS[listener]) as sock:
        answer = b""
        try:
            while data := sock.recv(65536):
                answer += data
        except ConnectionError:
            pass
    if listener in ("http", "api"):
        assert answer.startswith(b"HTTP/1.1 400 "), answer
        plain.server.log.wait(r"http 127.0.0.1: not an HTTP request", mark)
    else:
        # A TLS alert may come; of RTMP not one byte.
        assert not answer or (listener in ("rtmps", "https") and answer[0] == 0x15), answer
        plain.server.log.wait(r"127.0.0.1 closed: ", mark)
    assert not plain.server.log.find(VIEWER, mark)


@pytest.mark.parametrize("header", ["v1", "v2"])
@pytest.mark.parametrize("listener", STREAMING)
def test_a_header_of_a_stranger_is_not_believed(proxied: Site, listener: str, header: str) -> None:
    with proxied.playing(listener, HEADERS[header][0], STRANGER):
        proxied.check(STRANGER)


# --- rules see the viewer -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [line, lambda *ends: binary(block(*ends))], ids=["v1", "v2"])
def test_security_rules_judge_the_viewer_behind_a_header(proxied: Site, make: Callable[..., bytes]) -> None:
    banned, viewer = (make(ip, 40000, "192.0.2.1", 1935) for ip in (BANNED, VIEWER))
    for listener in ("http", "https"):
        with proxied.http(listener, before=banned) as client:
            assert client.ask("/live/cam.flv").status == 403
            assert f"'deny play {BANNED}' matches {BANNED}" in client.text()
        with proxied.http(listener, before=viewer) as client:
            # Only the gate lets this one wait for the stream.
            assert client.ask("/live/nobody.flv", host="members", method="HEAD").status == 404
        with proxied.http(listener) as client:
            assert client.ask("/live/nobody.flv", host="members", method="HEAD").status == 403
    for listener in ("rtmp", "rtmps"):
        form = {"before": banned, "tls": proxied.tls(listener)}
        with rtmp_player(proxied.ports[listener], **form) as player:  # type: ignore[arg-type]
            player.open("cam").rest()
            assert player.codes[-1].startswith("NetStream.Play.") and not player.tags
    for before, target in ((banned, "no?vhost=__defaultVhost__"), (proxied.before, "no?vhost=members")):
        with Publisher(proxied.ports["rtmp"]) as publisher:
            publisher.raw(before)
            with pytest.raises(Refused, match=r"NetStream.Publish.Denied"):
                publisher.publish(target)
    proxied.server.log.wait(rf"publisher \w+ from {BANNED} of /?live/no refused")


def test_a_stranger_cannot_pass_as_a_member_or_escape_a_ban(proxied: Site, plain: Site) -> None:
    with proxied.http(before=LINE, source=STRANGER) as client:
        assert client.ask("/live/x.flv", host="members").status == 403
    with plain.http(source=STRANGER) as client:
        claims = (f"X-Forwarded-For: {VIEWER}", f"X-Real-IP: {VIEWER}", f"Forwarded: for={VIEWER}")
        assert client.ask("/live/x.flv", *claims, host="members").status == 403


@pytest.mark.parametrize(
    "field", ["X-Forwarded-For: {}", "X-Real-IP: {}", "Forwarded: for={}", "X-Forwarded-For: {}, 10.1.1.1"]
)
def test_security_rules_judge_the_viewer_of_each_request(plain: Site, field: str) -> None:
    with plain.http() as client:
        for ip, status in ((BANNED, 403), (VIEWER, 200), (BANNED, 403)):
            client.ask("/live/cam.m3u8", field.format(ip))
            assert client.status == status
            assert (BANNED in client.text()) == (status == 403)
        for ip, status in ((VIEWER, 404), ("198.51.100.8", 403)):
            client.ask("/live/nobody.flv", field.format(ip), host="members", method="HEAD")
            assert client.status == status
