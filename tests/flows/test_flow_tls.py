"""Players and publishers over TLS: every protocol and container, records, ends, certificates."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from broadcast import Broadcast
from clip import Clip, decode, end, ffmpeg, finish, push
from flvread import VIDEO, FlvReader, media
from model import ts
from player import Player, Recorder, check_complete, check_start
from publisher import Publisher, film, headers
from server import HOST, until, vhost_text
from tlsfiles import Pair, RecordSpy, SecureServer, make_pair, serve_tls, trusting
from wsclient import WebSocket

MOUNTS = (
    "mount [vhost]/[app]/[stream].ts [vhost]/[app]/[stream].aac [vhost]/[app]/[stream].mp3; on_missing 20;"
)
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
RECORD = 16384
"Most bytes of plain text in one record (RFC 8446, 5.1)."


@pytest.fixture(scope="module")
def secure(serve: Callable[..., object], pair: Pair) -> SecureServer:
    """Each frame at once, a queue of 2 s, all containers."""
    return serve_tls(
        serve, vhost_text(play="mw_latency 0; queue_length 2; lag_close 600000;", remux=MOUNTS), pair
    )  # type: ignore[arg-type]


# --- all protocols, both versions ----------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
def test_rtmps_in_https_and_wss_out_in_each_version(
    secure: SecureServer, pair: Pair, version: ssl.TLSVersion
) -> None:
    context = trusting(pair, version)
    name = version.name
    with (
        Broadcast(secure.rtmps, name, tls=context) as broadcast,
        Player(secure.https, f"/live/{name}.flv", tls=context) as https,
        WebSocket(secure.https, f"/live/{name}.flv", tls=context) as wss,
        Player(secure.server.http, f"/live/{name}.flv") as plain,
    ):
        for sock in (broadcast.publisher.sock, https.sock, wss.sock):
            assert isinstance(sock, ssl.SSLSocket)
            assert sock.version() == name.replace("_", ".")
        for player in (https, wss, plain):
            player.frames(20)
            check_start(player)
            check_complete(player)
        assert https.chunked
        assert https.headers["content-type"] == "video/x-flv"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_what_is_older_than_tls_1_2_is_refused(secure: SecureServer) -> None:
    context = trusting()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    for port in (secure.https, secure.rtmps):
        with (
            pytest.raises((ssl.SSLError, ConnectionError)),
            socket.create_connection((HOST, port), 10) as sock,
        ):
            context.wrap_socket(sock, server_hostname=HOST)


@pytest.mark.parametrize("protocol", ["https.flv", "https.ts", "rtmps"])
def test_ffmpeg_plays_over_tls_what_ffmpeg_published_over_tls(
    secure: SecureServer, h264: Clip, tmp_path: Path, protocol: str
) -> None:
    scheme, _, ending = protocol.partition(".")
    name = f"both{scheme}{ending}"
    process = push(h264.path, f"rtmps://{HOST}:{secure.rtmps}/live/{name}", loop=True, after="-tls_verify 0")
    out = tmp_path / f"out.{ending or 'flv'}"
    port = secure.rtmps if scheme == "rtmps" else secure.https
    url = f"{scheme}://{HOST}:{port}/live/{name}{'.' * bool(ending)}{ending}"
    try:
        until(lambda: name in secure.server.streams(), "publish")
        words = [ffmpeg(), "-v", "error", "-nostdin", "-xerror", "-tls_verify", "0", "-i", url, "-t", "2"]
        done = subprocess.run([*words, "-c", "copy", str(out)], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0 and not done.stderr, done.stderr
    finally:
        end(process)
    decode(out)


@pytest.mark.parametrize(
    ("clip_name", "ending"),
    [("h264_aac", "ts"), ("hevc_aac", "ts"), ("h264_aac", "aac"), ("h264_mp3", "mp3")],
)
def test_other_containers_over_tls_are_whole_to_their_end_and_decode(
    secure: SecureServer, clips: dict[str, Clip], tmp_path: Path, clip_name: str, ending: str
) -> None:
    if clip_name not in clips:
        pytest.skip(f"no {clip_name}")
    name = f"{clip_name}_{ending}"
    # The one that waits gets it from its start; a browser's socket gets the same bytes.
    recorders = [Recorder(Player(secure.https, f"/live/{name}.{ending}", tls=trusting(), flv=False))]
    socket_ = WebSocket(secure.https, f"/live/{name}.{ending}", tls=trusting(), flv=False)
    finish(push(clips[clip_name].path, secure.server.publish_url(name), rate=4))
    player = recorders[0].done()
    assert player.clean and player.chunked
    socket_.rest()
    assert (socket_.code, socket_.reason) == (1000, "stream ended")
    assert socket_.body == player.body
    out = tmp_path / f"out.{ending}"
    out.write_bytes(player.body)
    decode(out)
    wanted = media(clips[clip_name].flv.tags)
    if ending == "ts":
        reader = ts.read_ts(bytes(player.body))
        pictures = [pes for pes in reader.pes if pes.pid == 0x100]
        assert len(pictures) == sum(1 for tag in wanted if tag.kind == VIDEO)
    else:
        sound = b"".join(tag.body[2 if ending == "aac" else 1 :] for tag in wanted if tag.kind != VIDEO)
        body = bytes(player.body)
        if ending == "aac":
            body = b"".join(frame.frame for frame in ts.read_adts(body))
        assert len(body) > len(sound) // 2 and sound.endswith(body)


# --- records ---------------------------------------------------------------------------------------------


def test_a_write_is_large_records_many_tags_in_each(serve: Callable[..., object], pair: Pair) -> None:
    secure = serve_tls(serve, vhost_text(play="mw_latency 350;"), pair)  # type: ignore[arg-type]
    # 1 Mbit/s: 5 KB a picture, 25 a second, a GOP of 125 KB.
    with (
        Broadcast(secure.server.rtmp, "large", size=5000),
        Player(secure.server.http, "/live/large.flv") as first,
        RecordSpy(secure.https, trusting(pair)) as spy,
    ):
        first.until(lambda me: sum(tag.is_key and tag.kind == VIDEO for tag in me.tags) >= 2).frames(15)
        spy.send(b"GET /live/large.flv HTTP/1.0\r\nHost: x\r\n\r\n")
        data = bytearray()
        while b"\r\n\r\n" not in data:
            data += spy.recv()
        flv = FlvReader()
        flv.feed(bytes(data.partition(b"\r\n\r\n")[2]))
        while len(media(flv.tags, VIDEO)) < 15:
            flv.feed(spy.recv())
        joined = spy.records
        assert RECORD <= max(joined) <= RECORD + 256, joined
        assert sum(joined) > len(joined) * RECORD / 2, joined
        before, tags = len(spy.records), len(flv.tags)
        while len(flv.tags) < tags + 150:
            flv.feed(spy.recv())
        records, tags = spy.records[before:], len(flv.tags) - tags
        assert max(records) > RECORD
        assert len(records) * 4 < tags, f"{len(records)} records for {tags} tags: {records}"


# --- ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
@pytest.mark.parametrize("http", ["1.0", "1.1"])
def test_the_end_of_a_stream_is_the_end_of_the_body_and_of_tls(
    secure: SecureServer, pair: Pair, version: ssl.TLSVersion, http: str
) -> None:
    name = f"end{version.name[-1]}{http[-1]}"
    with Publisher(secure.rtmps, tls=trusting(pair)) as publisher:
        publisher.publish(name)
        publisher.tags([*headers(), *film(5)])
        with RecordSpy(secure.https, trusting(pair, version)) as spy:
            spy.send(f"GET /live/{name}.flv HTTP/{http}\r\nHost: x\r\n\r\n".encode())
            data = bytearray(spy.recv())
            publisher.finish()
            while piece := spy.recv():
                data += piece
            # Without it a body that ends with its connection may have been cut by anybody (RFC 8446, 6.1).
            assert spy.notified, "no close_notify"
    body = bytes(data.partition(b"\r\n\r\n")[2])
    if http == "1.1":
        assert body.endswith(b"\r\n0\r\n\r\n")
    else:
        flv = FlvReader()
        flv.feed(body)
        assert flv.whole and len(media(flv.tags, VIDEO)) == 5


def test_an_operator_kicks_tls_players_one_at_a_time(secure: SecureServer, pair: Pair) -> None:
    context = trusting(pair)
    start = secure.quiet_fds()
    with (
        Broadcast(secure.rtmps, "kick", tls=context),
        Player(secure.https, "/live/kick.flv", tls=context) as https,
        Player(secure.https, "/live/kick.flv", tls=context) as other,
    ):
        https.frames(1)
        other.frames(1)
        with WebSocket(secure.https, "/live/kick.flv", tls=context) as wss:
            wss.frames(1)
            fresh = [row for row in secure.server.clients() if row["type"] == "flv-play"][-1]
            secure.server.ask(f"clients/{fresh['id']}", "DELETE")
            wss.rest()
            assert (wss.code, wss.reason) == (1008, "disconnected by the API")
        other.frames(5)
        players = {row["id"] for row in secure.server.clients() if row["type"] == "flv-play"}
        assert len(players) == 2
        secure.server.ask(f"clients/{min(players)}", "DELETE")
        secure.server.ask(f"clients/{max(players)}", "DELETE")
        for player in (https, other):
            player.rest()
            assert not player.clean, "cut off, not ended: nobody may take it for the end of the stream"
        check_complete(https)
        assert secure.server.streams()["kick"]["publish"]["active"]
    until(lambda: secure.server.fds() == start, "descriptors back")


# --- certificates --------------------------------------------------------------------------------------------------


def test_each_name_plays_with_its_certificate_and_a_new_one_disturbs_nobody(
    serve: Callable[..., object], tmp_path: Path
) -> None:
    pairs = []
    for name in ("a.example", "b.example", "next"):
        folder = tmp_path / name
        folder.mkdir()
        pairs.append(make_pair(folder, name if name != "next" else "a.example"))
    first, second, fresh = pairs
    secure = serve_tls(serve, vhost_text(), first, second)  # type: ignore[arg-type]

    def play(name: str, pair: Pair) -> Player:
        return Player(secure.https, "/live/names.flv", host=name, tls=trusting(pair))

    old = trusting(first)
    with (
        Broadcast(secure.rtmps, "names", tls=old),
        play("a.example", first) as a,
        play("b.example", second) as b,
    ):
        for player in (a, b):
            player.frames(2)
        with pytest.raises(ssl.SSLCertVerificationError):
            play("b.example", first)
        fresh.key.replace(first.key)
        fresh.cert.replace(first.cert)
        # The one of RTMPS is the same file.
        in_use = rf"certificate {re.escape(str(first.cert))} is in use, for a.example"
        until(lambda: len(secure.server.log.find(in_use)) == 2, "both listeners have it")
        replaced = Pair(first.cert, first.key)
        with play("a.example", replaced) as later, play("b.example", second) as same:
            for player in (later, same, a, b):
                player.frames(5)
                check_complete(player)
        with pytest.raises(ssl.SSLCertVerificationError):
            Publisher(secure.rtmps, tls=old)
        Publisher(secure.rtmps, tls=trusting(replaced)).connect().close()
