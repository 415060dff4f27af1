"""Viewers and publishers behind a real nginx."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clientsocket import connect
from clip import Clip, end, push
from model.ports import free_ports
from otherservers import load_module, nginx
from player import Player
from proxyclients import HttpClient, rtmp_player
from proxysite import (
    OPENINGS,
    PROXY,
    SITES,
    VIEWER,
    Site,
    is_dropped,
    run,
)
from server import HOST, Server
from tlsfiles import Pair
from wsclient import WebSocket

HTTP = """\
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    proxy_http_version 1.1;
    proxy_bind {proxy};
    proxy_buffering off;
    proxy_request_buffering off;
    client_max_body_size 0;
    {servers}
}}
"""
HTTP_SERVER = """\
    server {{
        listen {host}:{port};
        location / {{
            proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header {field};
            proxy_pass http://{host}:{origin};
        }}
    }}
"""
STREAM = """\
stream {{
    server {{ listen {host}:{port}; proxy_pass {host}:{origin}; proxy_protocol on; proxy_bind {proxy}; }}
}}
"""
FIELDS = {
    "X-Forwarded-For": "X-Forwarded-For $proxy_add_x_forwarded_for",
    "X-Real-IP": "X-Real-IP $remote_addr",
    "Forwarded": "Forwarded for=$remote_addr",
}
"What nginx adds, by the port that is asked."
SOMEONE = "127.0.0.5"
"Address of this machine that a viewer connects from."


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory, pair: Pair) -> Iterator[Site]:
    """A server that trusts nginx alone, and takes RTMP from nginx alone."""
    folder = tmp_path_factory.mktemp("origin")
    top = f"trusted_proxies {PROXY};"
    with run(folder, pair, top, "") as site:
        yield site


@pytest.fixture(scope="module")
def fronts(origin: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Ports of nginx by the field that it adds."""
    folder = tmp_path_factory.mktemp("nginx")
    ports = dict(zip(FIELDS, free_ports(len(FIELDS)), strict=True))
    servers = "".join(
        HTTP_SERVER.format(host=HOST, port=port, origin=origin.ports["http"], field=FIELDS[name])
        for name, port in ports.items()
    )
    with nginx(folder, HTTP.format(folder=folder, proxy=PROXY, servers=servers), list(ports.values())[-1]):
        yield ports


@pytest.mark.parametrize("name", FIELDS)
def test_viewers_behind_nginx_are_named_by_each_field(
    origin: Site, fronts: dict[str, int], name: str
) -> None:
    forged = [f"{field}: {VIEWER}" for field in FIELDS if field == name]
    for claims in ([], forged):
        with HttpClient(fronts[name], source=SOMEONE) as client:
            client.ask("/live/cam.flv", *claims).media()
            origin.check(SOMEONE)
    with HttpClient(fronts[name], source=SOMEONE) as client:
        client.ask("/live/cam.m3u8").text()
        assert origin.check(SOMEONE)["type"] == "hls-play"


def test_a_websocket_through_nginx_plays_and_is_named(origin: Site, fronts: dict[str, int]) -> None:
    with WebSocket(fronts["X-Forwarded-For"], "/live/cam.flv") as player:
        player.frames(3)
        origin.check(HOST)


def test_ffmpeg_pushes_through_nginx_and_another_plays_through_it(
    origin: Site, fronts: dict[str, int], h264: Clip
) -> None:
    port = fronts["X-Forwarded-For"]
    with Player(port, "/live/nginx.flv", timeout=30) as player:
        process = push(h264.path, f"http://{HOST}:{port}/live/nginx.flv", loop=True)
        try:
            player.frames(30)
            rows = {row["type"]: row for row in origin.clients() if row["name"] == "nginx"}
            assert {row["ip"] for row in rows.values()} == {HOST}
            assert rows["flv-publish"]["publish"]
        finally:
            end(process)


def test_whoever_comes_past_nginx_is_not_believed(origin: Site) -> None:
    with origin.http(source=SOMEONE) as client:
        client.ask("/live/cam.flv", f"X-Forwarded-For: {VIEWER}").media()
        origin.check(SOMEONE)


def test_rtmp_through_nginx_names_publisher_and_player(tmp_path: Path, pair: Pair, h264: Clip) -> None:
    load = load_module("stream")
    (port,) = free_ports(1)
    server = Server(tmp_path, SITES, more=f"trusted_proxies {PROXY}; rtmp {{ proxy_protocol on; }}")
    blocks = STREAM.format(host=HOST, port=port, origin=server.rtmp, proxy=PROXY)
    with server, nginx(tmp_path, blocks, port, load):
        process = push(h264.path, f"rtmp://{HOST}:{port}/live/cam", loop=True)
        try:
            with rtmp_player(port, source=SOMEONE).open("cam") as player:
                player.frames(20)
                rows = {row["type"]: row for row in server.clients()}
                assert rows["rtmp-play"]["ip"] == SOMEONE
                assert rows["fmle-publish"]["ip"] == HOST
            server.log.wait(rf"player {rows['rtmp-play']['id']} from {SOMEONE} joins")
        finally:
            end(process)
        # Past the proxy there is no way in.
        assert is_dropped(connect(server.rtmp, before=OPENINGS["rtmp"]))
