"""Viewers and an encoder behind real proxies that run with the files of docs/deploy/proxies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from model.ports import free_ports
from otherservers import binary, nginx_module, running
from player import Player
from proxyclients import rtmp_player
from publisher import Publisher, film, headers
from server import HOST, Server, vhost_text
from wsclient import WebSocket

PROXIES = Path(__file__).parents[2] / "docs" / "deploy" / "proxies"
FAR = "127.0.0.7"
"Address of this machine that encoder and viewers come from."


def nginx(folder: Path, text: str, ports: dict[str, int]) -> list[str]:
    text = text.replace("modules/ngx_stream_module.so", str(nginx_module("stream")))
    text = text.replace("listen 80;", f"listen {ports['http']};").replace(
        "listen 1935;", f"listen {ports['rtmp']};"
    )
    temporary = "".join(
        f"    {each}_temp_path {folder}/{each};\n"
        for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = text.replace("http {\n", f"http {{\n    access_log off;\n{temporary}", 1)
    text = f"daemon off;\npid {folder}/nginx.pid;\nerror_log stderr;\n{text}"
    file = folder / "nginx.conf"
    file.write_text(
        text.replace("worker_processes auto;", "worker_processes 1;").replace(
            "worker_rlimit_nofile 1048576;", ""
        )
    )
    return [binary("nginx"), "-p", str(folder), "-c", str(file)]


def haproxy(folder: Path, text: str, ports: dict[str, int]) -> list[str]:
    text = text.replace("bind :80\n", f"bind {HOST}:{ports['http']}\n").replace(
        "bind :1935\n", f"bind {HOST}:{ports['rtmp']}\n"
    )
    file = folder / "haproxy.cfg"
    file.write_text(text.replace("maxconn 100000", "maxconn 100"))
    return [binary("haproxy"), "-f", str(file)]


def caddy(folder: Path, text: str, ports: dict[str, int]) -> list[str]:
    # Without a name it asks nobody for a certificate.
    assert "live.example.com {" in text
    site = text.replace("live.example.com {", f"http://:{ports['http']} {{\n    bind {HOST}")
    file = folder / "Caddyfile"
    file.write_text(f"{{\n    admin off\n}}\n{site}")
    homes = [f"XDG_{each}_HOME={folder}" for each in ("CONFIG", "DATA")]
    return ["env", *homes, binary("caddy"), "run", "--adapter", "caddyfile", "--config", str(file)]


Words = Callable[[Path, str, dict[str, int]], list[str]]


@pytest.mark.parametrize(
    ("sample", "words"),
    [("nginx.conf", nginx), ("haproxy.cfg", haproxy), ("Caddyfile", caddy)],
    ids=["nginx", "haproxy", "caddy"],
)
def test_an_encoder_and_viewers_behind_a_proxy_are_served_and_named(
    tmp_path: Path, sample: str, words: Words
) -> None:
    text = (PROXIES / sample).read_text()
    # Caddy passes HTTP on, and encoders go past it.
    carries_rtmp = "11935" in text
    http, rtmp = free_ports(2)
    server = Server(
        tmp_path,
        vhost_text(more="hls { enabled on; hls_fragment 1; }"),
        more=f"trusted_proxies {HOST}; rtmp {{ proxy_protocol {'on' if carries_rtmp else 'off'}; }}",
    )
    for there, here in (("127.0.0.1:11935", server.rtmp), ("127.0.0.1:8080", server.http)):
        text = text.replace(there, f"{HOST}:{here}")
    text = text.replace("port 8080", f"port {server.http}")
    ports = {"http": http, "rtmp": rtmp} if carries_rtmp else {"http": http}
    started = words(tmp_path, text, ports)
    rtmp = ports.get("rtmp", server.rtmp)
    with server, running(started, list(ports.values()), tmp_path):
        publisher = Publisher(rtmp, source=FAR).publish("cam")
        publisher.tags([*headers(), *film(25)])
        with (
            Player(http, "/live/cam.flv", source=FAR) as player,
            WebSocket(http, "/live/cam.flv") as socket,
            rtmp_player(rtmp, source=FAR).open("cam") as other,
        ):
            player.frames(10)
            socket.frames(10)
            other.frames(10)
            # Nothing waits in the proxy: a picture that is sent alone arrives.
            seen = player.count()
            publisher.tags(film(1, gop=100, start=1000, first=1))
            player.until(lambda player: player.count() > seen)
            rows = {(row["type"], row["ip"]) for row in server.clients()}
        assert rows == {
            ("fmle-publish", FAR),
            ("flv-play", FAR),
            ("flv-play", HOST),
            ("rtmp-play", FAR),
        }
        with Player(http, "/live/cam.m3u8") as playlist:
            playlist.head()
            assert playlist.status == 200
        publisher.finish()
