"""The URLs that a server shows at its start, and those that its pages are told of: each of them plays."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from broadcast import Broadcast
from clip import Clip, end, push
from model.ports import free_ports
from server import HOST, Log, Server, environment, start, stop, until, vhost_text

from fastflv.tools.probe import main

BODY = "http_remux { enabled on; mount [vhost]/[app]/[stream].flv; mount [vhost]/[app]/[stream].ts [vhost]/[app]/[stream].aac; mount [vhost]/[app]/[stream].mp3; } hls { enabled on; }"
VHOSTS = f"vhost __defaultVhost__ {{ {BODY} }} vhost other.example {{ {BODY} }} vhost off.example {{ enabled off; {BODY} }}"


def check(url: str) -> None:
    """Read some of *url*."""
    if re.match("(http|ws|rtmp)://[^?]*", url) and not re.search(r"\.(ts|aac|m3u8)(\?|$)", url):
        assert main([url, "--seconds", "0.2", "--wait", "20"]) == 0, url
        return
    with urllib.request.urlopen(url, timeout=20) as answer:
        assert answer.status == 200 and answer.read(100), url


def test_every_url_of_the_start_plays_and_none_is_missing(tmp_path: Path, h264: Clip) -> None:
    with Server(tmp_path, VHOSTS) as server:
        server.log.wait("ask http")
        lines = [line.split(" INFO ")[1] for line in server.log.find("INFO (publish to|play|ask) ")]
        assert server.log.find(f"INFO manage http://{HOST}:{server.api}/console/$")
        targets = [line.split()[-1] for line in lines if line.startswith("publish")]
        urls = [line.split()[-1] for line in lines if line.startswith("play")]
        assert len(targets) == 2 and not any("off.example" in line for line in lines)
        assert not any(".mp3" in url for url in urls)
        for vhost in ("", "?vhost=other.example"):
            mine = [url for url in urls if url.partition("?")[2] == vhost[1:]]
            kinds = [re.sub(r"://.*livestream|\?.*", " ", url).strip() for url in mine]
            assert kinds == ["http .flv", "ws .flv", "http .ts", "http .aac", "http .m3u8", "rtmp"]
        pushes = [push(h264.path, target, loop=True) for target in targets]
        try:
            until(lambda: len(server.ask("streams?count=10")["streams"]) == 2, "two streams", 30)
            for url in urls:
                check(url)
        finally:
            for process in pushes:
                end(process)


def listed(port: int, query: str = "") -> list[dict[str, Any]]:
    """The streams that the pages show."""
    with urllib.request.urlopen(f"http://{HOST}:{port}/players/streams.json{query}", timeout=10) as answer:
        assert "access-control-allow-origin" not in answer.headers
        streams: list[dict[str, Any]] = json.load(answer)["streams"]
    return streams


def test_the_pages_show_live_streams_of_their_vhost_with_urls_that_play(tmp_path: Path) -> None:
    with Server(tmp_path, VHOSTS) as server:
        assert not listed(server.http)
        with Broadcast(server.rtmp, "one"):
            until(lambda: listed(server.http), "the stream", 20)
            (stream,) = listed(server.http)
            assert (stream["app"], stream["stream"], stream["video"]["codec"]) == ("live", "one", "H264")
            assert {each["container"] for each in stream["outputs"]} >= {"flv", "ts", "hls"}
            for output in stream["outputs"]:
                check(f"http://{HOST}:{server.http}{output['path']}")
            check(stream["rtmp"])
            assert not listed(server.http, "?vhost=other.example")


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", 'a"b&c', "ünï"])
def test_urls_of_streams_with_odd_names_play(tmp_path: Path, name: str) -> None:
    name = name.replace("/", "%2F") if "/" in name else name
    with Server(tmp_path, VHOSTS) as server, Broadcast(server.rtmp, name):
        until(lambda: listed(server.http), "the stream", 20)
        check(f"http://{HOST}:{server.http}{listed(server.http)[0]['outputs'][0]['path']}")


def test_the_pages_show_no_name_where_a_rule_or_a_password_hides_it(tmp_path: Path) -> None:
    secured = vhost_text(more="security { enabled on; allow publish all; deny play all; }")
    auth = "auth { enabled on; username a; password b; }"
    for vhosts, more in ((secured, ""), ("", f"http_api {{ {auth} }}")):
        environ = {
            "SRS_HTTP_API_AUTH_ENABLED": "on",
            "SRS_HTTP_API_AUTH_USERNAME": "a",
            "SRS_HTTP_API_AUTH_PASSWORD": "b",
        }
        with (
            Server(tmp_path, vhosts, environ=environ if more else None) as server,
            Broadcast(server.rtmp, "one"),
        ):
            server.log.wait("publishes /live/one")
            assert not listed(server.http)


def test_the_demo_shows_only_what_it_plays(tmp_path: Path) -> None:
    rtmp, http, api = free_ports(3)
    arguments = [f"--listen={HOST}:{rtmp}", f"--http={HOST}:{http}", f"--api={HOST}:{api}", "--demo"]
    process = start(arguments)
    log = Log(process.stderr)
    try:
        log.wait("ask http", timeout=40)
        urls = [line.split()[-1] for line in log.find("INFO play ")]
        assert urls
        for url in urls:
            check(url)
    finally:
        assert stop(process) == 0, log.text()


def test_a_probe_whose_reader_has_left_ends_in_silence(tmp_path: Path) -> None:
    with Server(tmp_path) as server, Broadcast(server.rtmp, "one"):
        read, write = os.pipe()
        os.close(read)
        url = f"http://{HOST}:{server.http}/live/one.flv"
        done = subprocess.run(
            [sys.executable, "-P", "-m", "fastflv", "probe", url, "--seconds", "0.2"],
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            timeout=60,
        )
        os.close(write)
        assert (done.returncode, done.stderr) == (141, "")
