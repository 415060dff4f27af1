"""The recording API: it begins and ends recordings, lists, sends and deletes files, and never leaves its directory."""

from __future__ import annotations

import base64
import http.client
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from broadcast import Broadcast
from clip import Clip
from recording import decode
from server import HOST, Server, until, vhost_text


def ask(port: int, method: str, path: str, **headers: str) -> tuple[int, Any, bytes]:
    connection = http.client.HTTPConnection(HOST, port, timeout=20)
    connection.request(method, path, headers={name.replace("_", "-"): each for name, each in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    kind = answer.headers.get("Content-Type", "")
    return answer.status, json.loads(body) if kind.startswith("application/json") else None, body


def site(folder: Path, more: str = "", **words: str) -> str:
    return vhost_text(more=f"record_path {folder}; {more}", **words)


@pytest.mark.parametrize("where", ["api", "http"])
def test_a_stream_is_recorded_on_request(
    serve: Callable[..., Server], tmp_path: Path, h264: Clip, where: str
) -> None:
    server = serve(site(tmp_path, "record_api on;"))
    port = server.api if where == "api" else server.http
    assert ask(port, "GET", "/flv/record/status/live/r")[1] == {
        "code": 0, "stream": "/live/r", "recording": False,
    }  # fmt: skip
    assert ask(port, "POST", "/flv/record/start/live/r")[0] == 404
    assert ask(port, "POST", "/flv/record/stop/live/r")[0] == 404
    with Broadcast(server.rtmp, "r", clip=h264):
        until(lambda: server.streams().get("r", {}).get("frames", 0) > 30, "frames", 20)
        status, said, _ = ask(port, "POST", "/flv/record/start/live/r")
        assert (status, said["recording"]) == (200, True)
        begun = said["file"]
        assert begun.startswith(f"{tmp_path}/live/r.")

        def state() -> Any:
            return ask(port, "GET", "/flv/record/status/live/r")[1]

        until(lambda: state()["duration"] > 1, "a second", 20)
        said = state()
        assert said["recording"] is True and said["tracks"] == ["H264", "AAC"] and said["size"] > 10_000
        assert said["file"] == begun
        [row] = ask(port, "GET", "/flv/record/list")[1]["recordings"]
        assert row["state"] == "recording" and row["id"].endswith(".flv.tmp")
        assert ask(port, "DELETE", row["url"])[0] == 409
        # Once more is no second recording.
        assert ask(port, "POST", "/flv/record/start/live/r")[1]["file"] == said["file"]
        status, said, _ = ask(port, "POST", "/flv/record/stop/live/r")
        assert (status, said["recording"], said["file"]) == (200, False, begun)
        assert said["duration"] > 1 and said["size"] > 10_000 and said["tracks"] == ["H264", "AAC"]
        server.log.wait("record of /live/r is finished")
        assert state()["recording"] is False
        assert server.streams()["r"]["publish"]["active"]
    said = ask(port, "GET", "/api/v1/recordings")[1]
    [row] = said["recordings"]
    assert (said["total"], row["state"], row["codecs"]) == (1, "finished", ["H264", "AAC"])
    assert row["duration"] > 1
    [path] = tmp_path.rglob("*.flv")
    assert row["size"] == path.stat().st_size and str(path.relative_to(tmp_path)) == row["id"]
    decode(path)
    data = path.read_bytes()
    assert ask(port, "GET", row["url"])[2] == data
    status, _, part = ask(port, "GET", row["url"], Range="bytes=100-199")
    assert (status, part) == (206, data[100:200])
    assert ask(port, "DELETE", row["url"])[0] == 200
    assert not path.exists()
    assert ask(port, "DELETE", row["url"])[0] == 404
    assert ask(port, "GET", row["url"])[0] == 404


def test_a_requested_recording_that_fails_leaves_that_of_dvr_to_be_shown(
    serve: Callable[..., Server], tmp_path: Path, h264: Clip
) -> None:
    (tmp_path / "asked").mkdir()
    (tmp_path / "asked" / "live").write_text("no directory")
    server = serve(site(tmp_path / "asked", f"dvr {{ enabled on; dvr_path {tmp_path}/dvr/[stream].flv; }}"))
    with Broadcast(server.rtmp, "r", clip=h264):
        server.log.wait("record of /live/r begins")
        assert ask(server.api, "POST", "/flv/record/start/live/r")[0] == 200
        server.log.wait("record of /live/r stops")
        said = ask(server.api, "GET", "/flv/record/status/live/r")[1]
        assert said["recording"] is True and said["file"] == f"{tmp_path}/dvr/r.flv"
        assert ask(server.api, "POST", "/flv/record/stop/live/r")[0] == 404
    server.log.wait("record of /live/r is finished")
    # The log of an error is what this test is about.
    server.log.lines[:] = [each for each in server.log.lines if "record of" not in each]


def test_lists_come_in_pages_and_tell_what_a_crash_left(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(site(tmp_path))
    (tmp_path / "live").mkdir()
    for i in range(7):
        (tmp_path / "live" / f"s.{i}.flv{'.tmp' if i == 6 else ''}").write_bytes(
            b"FLV\1\5\0\0\0\x09" + bytes(4)
        )
    (tmp_path / "live" / "other.txt").write_text("no recording")
    pages = [ask(server.api, "GET", f"/api/v1/recordings?start={at}&count=3")[1] for at in (0, 3, 6, 9)]
    assert [len(page["recordings"]) for page in pages] == [3, 3, 1, 0]
    assert {page["total"] for page in pages} == {7}
    states = {row["id"]: row["state"] for page in pages for row in page["recordings"]}
    assert states.pop("live/s.6.flv.tmp") == "broken" and set(states.values()) == {"finished"}


def test_no_path_leaves_the_directory(serve: Callable[..., Server], tmp_path: Path) -> None:
    folder = tmp_path / "record"
    folder.mkdir()
    secret = tmp_path / "secret.flv"
    secret.write_text("secret")
    (folder / "link.flv").symlink_to(secret)
    (folder / "note.txt").write_text("secret")
    server = serve(site(folder))
    for path in (
        "../secret.flv", "%2e%2e/secret.flv", "..%2fsecret.flv", "live/../../secret.flv", "/secret.flv",
        "link.flv", "note.txt", "..%5csecret.flv", "secret.flv%00.flv", f"{secret}", ".",
    ):  # fmt: skip
        for method in ("GET", "DELETE"):
            status, _, body = ask(server.api, method, f"/api/v1/recordings/{path}")
            assert status in (400, 404) and b"secret" not in body.replace(b"secret.flv", b""), path
    assert secret.read_text() == "secret" and (folder / "note.txt").exists()
    for path in ("live/../x", "..", "live", "live/..", "%2e%2e/x"):
        assert ask(server.api, "POST", f"/flv/record/start/{path}")[0] in (400, 404)


def test_the_http_port_has_no_recording_api_unless_the_vhost_says_so(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(site(tmp_path))
    assert ask(server.http, "GET", "/flv/record/list")[0] == 404
    assert ask(server.http, "GET", "/api/v1/recordings")[0] == 404
    assert ask(server.api, "GET", "/api/v1/recordings")[0] == 200
    assert ask(server.api, "PUT", "/api/v1/recordings")[0] == 405
    assert ask(server.api, "GET", "/flv/record/start/live/r")[0] == 405
    assert ask(server.api, "GET", "/flv/record/other/live/r")[0] == 404


def test_recording_passes_the_gate(serve: Callable[..., Server], tmp_path: Path) -> None:
    rules = "security {{ enabled on; allow publish all; allow play all; {} }}"
    closed = serve(site(tmp_path, rules.format("")))
    status, said, _ = ask(closed.api, "GET", "/api/v1/recordings")
    assert status == 403 and "no 'allow record'" in said["message"]
    assert ask(closed.api, "POST", "/flv/record/start/live/r")[0] == 403
    closed.log.wait("record request from 127.0.0.1 refused: no 'allow record' matches")
    opened = serve(site(tmp_path, rules.format(f"allow record {HOST};")))
    assert ask(opened.api, "GET", "/api/v1/recordings")[0] == 200


class Locked(Server):
    """A server whose API has a password."""

    def __init__(self, folder: Path, vhosts: str) -> None:
        super().__init__(folder, vhosts)
        auth = r"\1 auth { enabled on; username u; password p; }"
        self.file.write_text(re.sub(r"(http_api \{ enabled on; listen \d+;)", auth, self.file.read_text()))


def test_the_password_of_the_api_counts_on_every_port(tmp_path: Path) -> None:
    word = base64.b64encode(b"u:p").decode()
    with Locked(tmp_path, site(tmp_path / "record", "record_api on;")) as server:
        for port in (server.api, server.http):
            assert ask(port, "GET", "/flv/record/list")[0] == 401
            assert ask(port, "GET", "/flv/record/list", Authorization=f"Basic {word}")[0] == 200
