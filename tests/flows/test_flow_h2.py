"""HTTP/2 as clients meet it: streams side by side over one connection, beside everything else that HTTPS answers."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from broadcast import Broadcast
from clip import Clip, ffmpeg
from flvread import VIDEO, FlvReader, media
from h2client import H2Client, established
from model.ports import free_ports
from player import Player, check_complete, check_start, numbers
from reloading import Make
from server import HOST, Server, vhost_text
from tlsfiles import Pair, SecureServer, serve_tls, trusting
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong

MOUNTS = (
    "mount [vhost]/[app]/[stream].flv [vhost]/[app]/[stream].ts [vhost]/[app]/[stream].aac; on_missing 10;"
)
CONTAINERS = {"flv": "video/x-flv", "ts": "video/MP2T", "aac": "audio/aac"}
COUNT = 16


FILM = bytes(range(256)) * 8000


@pytest.fixture(scope="module")
def secure(
    serve: Callable[..., Server], pair: Pair, tmp_path_factory: pytest.TempPathFactory
) -> SecureServer:
    folder = tmp_path_factory.mktemp("files")
    (folder / "film.bin").write_bytes(FILM)
    more = (
        f"hls {{ enabled on; hls_fragment 1; }} http_static {{ enabled on; mount [vhost]/; dir {folder}; }}"
    )
    return serve_tls(serve, vhost_text(play="mw_latency 0;", remux=MOUNTS, more=more), pair)


def test_sixteen_players_of_one_connection_play_side_by_side(secure: SecureServer, h264: Clip) -> None:
    server = secure.server
    with Broadcast(server.rtmp, "wall", clip=h264), H2Client(secure.https) as client:
        streams = [client.ask("/live/wall.flv") for _ in range(COUNT)]
        readers = {stream: FlvReader() for stream in streams}

        def played() -> bool:
            for stream in streams:
                readers[stream].feed(bytes(client.answers[stream].body))
                client.answers[stream].body.clear()
            return all(
                sum(tag.kind == VIDEO for tag in media(reader.tags)) > 40 for reader in readers.values()
            )

        client.until(played)
        assert {client.answers[stream].status for stream in streams} == {200}
        assert [each["type"] for each in server.clients()].count("flv-play") == COUNT
        assert established(secure.https) == 1


def test_curl_plays_each_container(secure: SecureServer, h264: Clip, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if (
        curl is None
        or "HTTP2" not in subprocess.run([curl, "--version"], capture_output=True, text=True).stdout
    ):
        pytest.skip("no curl with HTTP/2")
    with Broadcast(secure.server.rtmp, "curled", clip=h264):
        url = f"https://{HOST}:{secure.https}/live/curled"
        words = [curl, "-sk", "--http2", "-D", "-", "-m", "3"]
        running = {
            name: subprocess.Popen([*words, f"{url}.{name}"], stdout=subprocess.PIPE) for name in CONTAINERS
        }
        said = {name: process.communicate(timeout=60)[0] for name, process in running.items()}
    for name, found in said.items():
        head, _, body = found.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/2 200") and f"content-type: {CONTAINERS[name]}".encode() in head
        file = tmp_path / f"played.{name}"
        file.write_bytes(body)
        # It was cut in the middle of a frame: what counts is that frames decode.
        words = [ffmpeg(), "-v", "info", "-i", str(file), "-f", "null", "-"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and len(body) > 10_000, done.stderr


def test_the_api_playlists_segments_and_pages_answer_beside_a_player(
    secure: SecureServer, h264: Clip
) -> None:
    with Broadcast(secure.server.rtmp, "beside", clip=h264), H2Client(secure.https) as client:
        play = client.ask("/live/beside.flv")
        client.until(lambda: len(client.answers[play].body) > 10_000)
        found = client.get("/live/beside.m3u8")
        assert (found.status, found.body[:7]) == (200, b"#EXTM3U")
        listed = [line for line in found.body.decode().splitlines() if line and line[0] != "#"]
        if listed and ".m3u8" in listed[0]:
            listed = [
                line
                for line in client.get("/live/" + listed[0].rpartition("/")[2]).body.decode().splitlines()
                if line and line[0] != "#"
            ]
        segment = client.get("/live/" + listed[0].rpartition("/")[2])
        assert (segment.status, segment.body[0]) == (200, 0x47)
        assert int(segment.fields["content-length"]) == len(segment.body)
        head = client.get("/live/beside.flv", "HEAD")
        assert (head.status, head.body, head.fields["content-type"]) == (200, b"", "video/x-flv")
        assert client.get("/nothing").status == 404
        assert client.get("/live/beside.flv", "DELETE").status == 405
        assert client.answers[play].over is False


def test_a_websocket_on_a_stream_plays_answers_pings_and_closes(secure: SecureServer, h264: Clip) -> None:
    with Broadcast(secure.server.rtmp, "socket", clip=h264), H2Client(secure.https) as client:
        play = client.ask("/live/socket.flv")
        stream = client.ask_socket("/live/socket.flv", ("sec-websocket-protocol", "flv, other"))
        socket, flv, events = Connection(ConnectionType.CLIENT), FlvReader(), []

        def read() -> None:
            answer = client.answers[stream]
            socket.receive_data(bytes(answer.body))
            answer.body.clear()
            for event in socket.events():
                events.append(event)
                if isinstance(event, BytesMessage):
                    flv.feed(bytes(event.data))

        def until(done: Callable[[], bool]) -> None:
            def read_on() -> bool:
                read()
                return done()

            client.until(read_on)

        until(lambda: sum(tag.kind == VIDEO for tag in media(flv.tags)) > 20)
        answer = client.answers[stream]
        assert (answer.status, answer.fields["sec-websocket-protocol"]) == (200, "flv")
        client.conn.send_data(stream, socket.send(Ping(b"here?")))
        until(lambda: any(isinstance(event, Pong) and event.payload == b"here?" for event in events))
        rows = [
            each
            for each in secure.server.clients()
            if each["url"].endswith("/socket") and not each["publish"]
        ]
        assert len(rows) == 2
        client.conn.send_data(stream, socket.send(CloseConnection(1000)))
        until(lambda: any(isinstance(event, CloseConnection) for event in events))
        client.until(lambda: answer.over)
        # The other player of the connection plays on.
        had = len(client.answers[play].body)
        client.until(lambda: len(client.answers[play].body) > had + 5000)
        assert not client.answers[play].over


def test_a_websocket_on_a_stream_publishes(secure: SecureServer, h264: Clip) -> None:
    with H2Client(secure.https) as client:
        stream = client.ask_socket("/live/pushed.flv?publish")
        socket = Connection(ConnectionType.CLIENT)
        client.until(lambda: client.answers[stream].status == 200)
        data = h264.path.read_bytes()
        for at in range(0, len(data), 10_000):
            message = socket.send(BytesMessage(data[at : at + 10_000]))
            client.until(lambda: client.conn.local_flow_control_window(stream) >= 16_384)
            client.conn.send_data(stream, message)
        client.flush()
        play = client.ask("/live/pushed.flv")
        client.until(lambda: len(client.answers[play].body) > 10_000)
        client.conn.send_data(stream, socket.send(CloseConnection(1000)))
        client.until(lambda: client.answers[stream].over)


def test_a_post_publishes_and_is_answered(secure: SecureServer, h264: Clip) -> None:
    with H2Client(secure.https) as client:
        data = h264.path.read_bytes()
        stream = client.ask("/live/posted.flv", "POST", ("expect", "100-continue"), end=False)
        client.until(lambda: client.answers[stream].interim == [100])
        for at in range(0, len(data), 16_384):
            client.until(lambda: client.conn.local_flow_control_window(stream) >= 16_384)
            client.conn.send_data(stream, data[at : at + 16_384])
        client.conn.end_stream(stream)
        client.until(lambda: client.answers[stream].over)
        assert (client.answers[stream].status, bytes(client.answers[stream].body)) == (200, b"published")


def test_a_wrong_websocket_handshake_is_refused_on_its_stream(secure: SecureServer) -> None:
    with H2Client(secure.https) as client:
        wrong = client.ask_socket("/live/any.flv", version="8")
        client.until(lambda: client.answers[wrong].over)
        assert client.answers[wrong].status == 426
        assert client.get("/nothing").status == 404


def test_files_are_sent_whole_in_parts_and_side_by_side(secure: SecureServer) -> None:
    with H2Client(secure.https) as client:
        streams = [client.ask("/film.bin") for _ in range(3)]
        part = client.get("/film.bin", "GET", ("range", "bytes=1000000-1000099"))
        head = client.get("/film.bin", "HEAD")
        client.until(lambda: all(client.answers[stream].over for stream in streams))
        for stream in streams:
            assert (client.answers[stream].status, bytes(client.answers[stream].body)) == (200, FILM)
        assert (part.status, bytes(part.body)) == (206, FILM[1_000_000:1_000_100])
        assert (head.fields["content-length"], head.body) == (str(len(FILM)), b"")
        again = client.get("/film.bin", "GET", ("if-none-match", head.fields["etag"]))
        assert (again.status, again.body) == (304, b"")


def test_a_reload_with_http2_off_leaves_players_and_offers_http1_alone(
    serve: Callable[..., Server], pair: Pair, h264: Clip
) -> None:
    secure = serve_tls(serve, vhost_text(), pair)
    server = secure.server
    with Broadcast(server.rtmp, "kept", clip=h264), H2Client(secure.https) as client:
        stream = client.ask("/live/kept.flv")
        answer = client.answers[stream]
        client.until(lambda: len(answer.body) > 10_000)
        server.file.write_text(
            server.file.read_text().replace("https { enabled on;", "https { enabled on; http2 off;")
        )
        server.process.send_signal(signal.SIGHUP)
        server.log.wait("reload: configuration 2 is in force")
        context = trusting()
        context.set_alpn_protocols(["h2", "http/1.1"])
        with Player(secure.https, "/live/kept.flv", tls=context) as player:
            assert player.sock.selected_alpn_protocol() in (None, "http/1.1")
            player.frames(5)
        had = len(answer.body)
        client.until(lambda: len(answer.body) > had + 10_000)


def test_a_graceful_quit_tells_clients_to_ask_elsewhere_and_ends_with_the_last_player(
    make: Make, pair: Pair, h264: Clip
) -> None:
    (port,) = free_ports(1)
    web = f"https {{ enabled on; listen {port}; cert {pair.cert}; key {pair.key}; }}"
    server = make(vhost_text(), web=web, more="grace_start_wait 0; grace_final_wait 0;")
    with H2Client(port) as client:
        with Broadcast(server.rtmp, "last", clip=h264):
            stream = client.ask("/live/last.flv")
            answer = client.answers[stream]
            client.until(lambda: len(answer.body) > 10_000)
            server.process.send_signal(signal.SIGQUIT)
            client.until(lambda: client.goaway is not None)
            assert client.goaway is not None and client.goaway.error_code == 0
            had = len(answer.body)
            client.until(lambda: len(answer.body) > had + 10_000)
        client.until(lambda: answer.over)
        assert answer.ended
    assert server.process.wait(20) == 0


def test_a_player_that_is_not_read_falls_behind_alone_and_goes_on_at_a_keyframe(
    serve: Callable[..., Server], pair: Pair
) -> None:
    play = "mw_latency 0; start gop; lag_drop 300; lag_jump 1000; lag_close 600000;"
    secure = serve_tls(serve, vhost_text(play=play), pair)
    server = secure.server
    readers = {"slow": FlvReader(), "quick": FlvReader()}
    with (
        Broadcast(server.rtmp, "ladder", size=4000),
        H2Client(secure.https, window=65_535, connection_window=1 << 24) as client,
    ):
        streams = {name: client.ask("/live/ladder.flv") for name in readers}
        client.held.add(streams["slow"])

        def late() -> bool:
            # One that waits for its stream has no lag yet.
            return any(row.get("lag_ms", 0) > 1500 for row in server.clients())

        client.until(late)
        had = len(client.answers[streams["slow"]].body)
        client.release(streams["slow"])
        client.until(lambda: len(client.answers[streams["slow"]].body) > had + 200_000)
        rows = [row for row in server.clients() if not row["publish"]]
        for name, stream in streams.items():
            readers[name].feed(bytes(client.answers[stream].body))
    assert sorted(row["jumps"] > 0 for row in rows) == [False, True]
    check_start(readers["slow"])
    check_complete(readers["quick"])
    pictures = numbers(readers["slow"])
    assert pictures == sorted(set(pictures)) and len(pictures) < len(numbers(readers["quick"]))
