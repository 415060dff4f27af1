"""Forwarded fields of trusted HTTP proxies name the viewer of each request, and those of nobody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from httppush import HttpPush
from player import Player
from proxysite import (
    BANNED,
    LINE,
    SITES,
    STRANGER,
    VIEWER,
    VIEWER_6,
    Site,
)
from publisher import Publisher, film, headers
from server import HOST, Server, until
from wsclient import WebSocket


@pytest.mark.parametrize(
    ("fields", "viewer"),
    [
        ((f"X-Forwarded-For: {VIEWER}",), VIEWER),
        ((f"X-Forwarded-For: {BANNED}, {VIEWER}",), VIEWER),
        ((f"X-Forwarded-For: {VIEWER}, 10.1.2.3",), VIEWER),
        ((f"X-Forwarded-For: {BANNED}", f"X-Forwarded-For: {VIEWER}, 10.1.2.3"), VIEWER),
        ((f"X-Forwarded-For: {VIEWER}:40000",), VIEWER),
        ((f"X-Forwarded-For: {VIEWER_6}",), VIEWER_6),
        ((f"X-Real-IP: {VIEWER}",), VIEWER),
        ((f"X-Real-IP: {VIEWER_6}",), VIEWER_6),
        ((f"Forwarded: for={VIEWER}",), VIEWER),
        ((f'Forwarded: for={BANNED}, for="[{VIEWER_6}]:4711";by=10.1.2.3',), VIEWER_6),
        ((f"Forwarded: for={VIEWER}, for=10.1.2.3",), VIEWER),
        ((f"X-Forwarded-For: {VIEWER}", f"X-Real-IP: {BANNED}", f"Forwarded: for={BANNED}"), VIEWER),
        (("X-Forwarded-For: unknown",), HOST),
        (("Forwarded: for=_hidden",), HOST),
        (("X-Forwarded-For: ",), HOST),
        ((), HOST),
    ],
)
@pytest.mark.parametrize("listener", ["http", "https"])
def test_fields_of_a_trusted_proxy_name_the_viewer(
    plain: Site, listener: str, fields: tuple[str, ...], viewer: str
) -> None:
    with plain.http(listener) as client:
        client.ask("/live/cam.flv", *fields).media()
        plain.check(viewer)


@pytest.mark.parametrize("field", ["X-Forwarded-For: {}", "X-Real-IP: {}", "Forwarded: for={};proto=https"])
@pytest.mark.parametrize("listener", ["http", "https"])
def test_fields_of_a_stranger_name_nobody(plain: Site, listener: str, field: str) -> None:
    with plain.http(listener, source=STRANGER) as client:
        client.ask("/live/cam.flv", field.format(VIEWER)).media()
        row = plain.check(STRANGER)
        assert row["tcUrl"] == f"{listener}://x/live"


@pytest.mark.parametrize("field", ["X-Forwarded-For: {}", "X-Real-IP: {}", "Forwarded: for={}"])
def test_the_client_of_a_tcp_proxy_names_nobody(proxied: Site, field: str) -> None:
    """The header of the TCP proxy names the sender of the request, who is no proxy itself."""
    with proxied.http(before=LINE) as client:
        client.ask("/live/cam.flv", field.format(BANNED)).media()
        proxied.check(VIEWER)


def test_without_trusted_proxies_nobody_is_believed(serve: Callable[..., Server]) -> None:
    server = serve(SITES)
    with Publisher(server.rtmp) as publisher:
        publisher.publish("cam")
        publisher.tags([*headers(), *film(3)])
        claims = (f"X-Forwarded-For: {VIEWER}", f"X-Real-IP: {VIEWER}", f"Forwarded: for={VIEWER}")
        with Player(server.http, "/live/cam.flv", headers=claims) as player:
            player.frames(1)
            assert {row["ip"] for row in server.clients()} == {HOST}


def test_every_output_and_a_push_name_the_viewer(plain: Site) -> None:
    field = f"X-Forwarded-For: {VIEWER}"
    with plain.http() as client:
        client.ask("/live/cam.ts", field).media()
        assert plain.check(VIEWER)["url"] == "/live/cam"
    with WebSocket(plain.ports["http"], "/live/cam.flv", more={"X-Forwarded-For": VIEWER}) as socket_:
        socket_.frames(1)
        plain.check(VIEWER)
    with HttpPush(plain.ports["http"], "/live/pushed.flv", headers=(field,)) as pusher:
        pusher.begin(headers())
        until(lambda: plain.newest()["name"] == "pushed", "push")
        assert plain.check(VIEWER)["publish"]
    with plain.http() as client:
        client.ask("/live/cam.m3u8", f"X-Forwarded-For: {VIEWER_6}").text()
        assert plain.check(VIEWER_6)["type"] == "hls-play"


def test_the_protocol_of_the_viewer_is_that_which_the_proxy_names(plain: Site) -> None:
    fields = {
        "https": (f"X-Forwarded-For: {VIEWER}", "X-Forwarded-Proto: https"),
        "http": (f"Forwarded: for={VIEWER};proto=http",),
    }
    for listener in ("http", "https"):
        for scheme, lines in fields.items():
            with plain.http(listener) as client:
                client.ask("/live/cam.flv", *lines).media()
                assert plain.check(VIEWER)["tcUrl"] == f"{scheme}://x/live"


def test_one_connection_of_a_proxy_carries_requests_of_many_viewers(plain: Site) -> None:
    viewers = [f"203.0.113.{number}" for number in range(1, 6)]
    with plain.http() as client:
        for viewer in viewers:
            assert client.ask("/live/cam.m3u8", f"X-Forwarded-For: {viewer}").status == 200
            client.text()
        assert client.ask("/live/cam.m3u8").status == 200
        client.text()
    rows = [row["ip"] for row in plain.clients() if row["type"] == "hls-play"]
    assert rows[-6:] == [*viewers, HOST]
