"""HLS over the past of a live stream (`?window=`): what a real ffmpeg publishes, read by PyAV, by ffmpeg, and segment by segment."""

from __future__ import annotations

import http.client
import itertools
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urljoin

import av
import pytest
from clip import Clip, decode, end, ffmpeg, push
from flvread import VIDEO, media
from model import m3u8
from model.ports import free_ports
from player import Player
from server import HOST, Server, until, vhost_text
from tlsfiles import make_pair

HLS = "hls { enabled on; hls_fragment 1; hls_window 6; %s }"
ROUNDS = 30
"How often the film is published, at most."

SITES = f"""
vhost plain.example.com {{ timeshift {{ window 30; }} {HLS % "hls_ctx off;"} publish {{ grace 0; }} }}
vhost keys.example.com {{ timeshift {{ window 30; }} {HLS % "hls_keys on;"} }}
vhost none.example.com {{ {HLS % ""} }}
vhost guarded.example.com {{
    timeshift {{ window 30; }}
    {HLS % ""}
    security {{ enabled on; allow publish all; deny play all; }}
}}
"""


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(
        vhost_text(play="mw_latency 0;", more="timeshift { window 30; } " + HLS % "hls_window 4;") + SITES
    )


@pytest.fixture(scope="module")
def live(server: Server, film: Clip) -> Iterator[Player]:
    """A stream that has run for 12 s."""
    process = push(film.path, server.publish_url("cam"), loop=True)
    until(lambda: "cam" in server.streams(), "publish", 15)
    with Player(server.http, "/live/cam.flv") as player:
        player.frames(240)
        yield player
    end(process)


class Got:
    """The answer to a request."""

    def __init__(self, server: Server, target: str, **headers: str) -> None:
        link = http.client.HTTPConnection(HOST, server.http, timeout=20)
        link.request("GET", target, headers=headers)
        answer = link.getresponse()
        self.status, self.body = answer.status, answer.read()
        self.headers = {name.lower(): text for name, text in answer.getheaders()}
        link.close()


def playlist(server: Server, path: str) -> tuple[str, m3u8.Media]:
    """The URL path and the content of the playlist behind a master playlist, or of the one at *path*."""
    got = Got(server, path)
    assert got.status == 200, got.body
    if b"#EXT-X-STREAM-INF" in got.body:
        path = urljoin(path, m3u8.read_master(got.body.decode()).uri)
        got = Got(server, path)
        assert got.status == 200, got.body
    return path, m3u8.read_media(got.body.decode())


def pictures(server: Server, path: str, segments: list[m3u8.Segment]) -> list[tuple[int, bytes]]:
    """Decode times (90 kHz) and bytes of the pictures in *segments*, read by PyAV."""
    found = []
    for segment in segments:
        parts = [Got(server, urljoin(path, uri)) for uri in (segment.map_uri, segment.uri)]
        assert {part.status for part in parts} == {200}, parts[-1].body
        file = Path(f"/dev/shm/window-{segment.number}-{time.monotonic_ns()}.mp4")
        file.write_bytes(b"".join(part.body for part in parts))
        try:
            with av.open(str(file)) as container:
                track = container.streams.video[0]
                packets = [packet for packet in container.demux(track) if packet.size]
                assert packets[0].is_keyframe
                found += [
                    (round(packet.dts * packet.time_base * 90_000), bytes(packet)) for packet in packets
                ]
        finally:
            file.unlink()
    return found


def sent(film: Clip) -> list[bytes]:
    """The pictures of a film that is published in a loop."""
    return [tag.body[5:] for tag in media(film.flv.tags, VIDEO) if tag.body[1] == 1] * ROUNDS


def test_the_whole_window_has_every_picture_once_and_joins_with_what_is_live(
    server: Server, live: Player, film: Clip
) -> None:
    path, first = playlist(server, "/live/cam.m3u8?window=10")
    assert 9 <= first.length <= 12 and first.target <= 2 and not first.ended
    assert first.discontinuities == 0
    got = pictures(server, path, first.segments)
    steps = [first]
    # And on over the live edge, as a player does.
    while len(steps) < 4:
        live.frames(20)
        later = playlist(server, path)[1]
        m3u8.check_step(steps[-1], later)
        known = steps[-1].segments[-1].number
        got += pictures(server, path, [each for each in later.segments if each.number > known])
        steps.append(later)
    assert steps[-1].sequence >= first.sequence
    bodies = [body for _, body in got]
    expected = sent(film)
    at = expected.index(bodies[0])
    assert len(bodies) > 200 and bodies == expected[at : at + len(bodies)]
    gaps = {after - before for (before, _), (after, _) in itertools.pairwise(got)}
    # 20 pictures a second; between two rounds of the film the longer sound moves them.
    assert all(0 < gap < 9000 for gap in gaps), gaps


def test_ffmpeg_plays_the_window_from_its_beginning_and_on(server: Server, live: Player, film: Clip) -> None:
    """For longer than the window is: over what was the past, and what comes."""
    address = f"http://{HOST}:{server.http}/live/cam.m3u8?window=8"
    words = [
        ffmpeg(),
        "-v",
        "error",
        "-xerror",
        "-live_start_index",
        "0",
        "-i",
        address,
        "-t",
        "11",
        "-f",
        "framemd5",
        "-",
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr
    rows = [line.split(",") for line in done.stdout.splitlines() if line.startswith("0,")]
    times, pictures = [int(row[2]) for row in rows], [row[5] for row in rows]
    # Every picture of the film comes again in its next round, where one left out would move it.
    film_length = len(sent(film)) // ROUNDS
    assert len(rows) >= 210 > film_length and pictures[film_length:] == pictures[:-film_length]
    # Between two rounds the longer sound moves them by less than a picture.
    steps = [after - before for before, after in itertools.pairwise(times)]
    assert set(steps) <= {1, 2} and steps.count(2) <= len(rows) // film_length + 1, times


@pytest.mark.usefixtures("live")
def test_a_window_is_of_fragmented_mp4_that_caches_may_keep(server: Server) -> None:
    path, found = playlist(server, "/live/cam.m3u8?window=6")
    assert len({segment.map_uri for segment in found.segments}) == 1
    got = Got(server, urljoin(path, found.segments[0].uri))
    assert got.headers["content-type"] == "video/mp4" and got.headers["cache-control"] == "max-age=30"
    init = Got(server, urljoin(path, found.segments[0].map_uri))
    assert init.body[4:8] == b"ftyp" and b"moof" in got.body
    # The same for all who ask, whatever their window is.
    with ThreadPoolExecutor(8) as pool:
        again = pool.map(lambda _: Got(server, urljoin(path, found.segments[0].uri)).body, range(8))
        assert set(again) == {got.body}
    wide = playlist(server, "/live/cam.m3u8?window=20")[1].segments
    known = {each.number: each for each in wide}
    for each in found.segments:
        other = known[each.number]
        assert each.uri.partition("?")[0] == other.uri.partition("?")[0]
        assert (each.duration, each.date) == (other.duration, other.date)


@pytest.mark.usefixtures("live")
def test_a_viewer_passes_the_gate_once_and_is_counted(server: Server) -> None:
    path, found = playlist(server, "/live/cam.m3u8?window=6")
    word = path.partition("hls_ctx=")[2][:8]
    bodies = [Got(server, urljoin(path, segment.uri)).body for segment in found.segments[:3]]
    (client,) = (each for each in server.clients() if each["id"] == word)
    assert client["type"] == "hls-play" and client["send_bytes"] > sum(map(len, bodies))
    assert len(server.log.find(f"player {word} .* joins")) == 1
    # Without its session a segment is the gate's again.
    assert Got(server, urljoin(path, found.segments[0].uri).partition("?")[0]).status == 200


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ("window=31", 416, "can be had from"),
        ("window=3600", 416, "can be had from"),
        ("window=0", 400, "how many seconds"),
        ("window=-5", 400, "how many seconds"),
        ("window=long", 400, "how many seconds"),
    ],
)
def test_what_is_no_window_is_refused_with_a_sentence(
    server: Server, query: str, status: int, text: str
) -> None:
    got = Got(server, f"/live/cam.m3u8?{query}")
    assert got.status == status and text in got.body.decode() and b"/live/cam" in got.body


def test_other_vhosts_refuse_as_they_say(server: Server, film: Clip) -> None:
    refusals = {
        "keys.example.com": (404, "hls_keys"),
        "none.example.com": (416, "keeps no past"),
        "guarded.example.com": (403, ""),
    }
    publishers = [
        push(film.path, f"{server.publish_url('cam')}?vhost={name}", loop=True) for name in refusals
    ]
    try:
        until(lambda: server.ask("summaries") and len(server.ask("streams")["streams"]) >= 3, "publish", 15)
        for name, (status, text) in refusals.items():
            got = Got(server, f"/live/cam.m3u8?window=5&vhost={name}")
            assert got.status == status and text in got.body.decode(), (name, got.status, got.body)
            assert Got(server, f"/clip/live/cam/1.m4s?vhost={name}").status == 404
    finally:
        for publisher in publishers:
            end(publisher)


def test_a_young_stream_has_all_of_its_past_and_the_playlist_ends_with_it(server: Server, film: Clip) -> None:
    process = push(film.path, server.publish_url("young") + "?vhost=plain.example.com")
    try:
        until(lambda: "young" in server.streams(), "publish", 15)
        path, found = playlist(server, "/live/young.m3u8?window=25&vhost=plain.example.com")
        assert found.segments[0].duration <= 1.1
        process.wait(30)
        until(lambda: playlist(server, path)[1].ended, "the end of the playlist", 15)
    finally:
        end(process)
    last = playlist(server, path)[1]
    assert [body for _, body in pictures(server, path, last.segments)] == sent(film)[: len(sent(film)) // 30]


def test_a_stream_whose_keyframes_are_rare_is_cut_without_them(server: Server, tmp_path: Path) -> None:
    source = f"{ffmpeg()} -v error -nostdin -re -f lavfi -i testsrc2=size=320x180:rate=20 -c:v libx264 -preset ultrafast -g 1000"
    publisher = subprocess.Popen([*source.split(), "-t", "30", "-f", "flv", server.publish_url("rare")])
    try:
        until(lambda: "rare" in server.streams(), "publish", 20)
        path, first = playlist(server, "/live/rare.m3u8?window=25")
        until(lambda: playlist(server, path)[1].length > 8, "more", 30)
        found = playlist(server, path)[1]
        assert found.target == first.target and found.discontinuities == 0
        assert max(segment.duration for segment in found.segments) <= found.target + 0.5
        got = [Got(server, urljoin(path, found.segments[0].map_uri)).body]
        got += [Got(server, urljoin(path, segment.uri)).body for segment in found.segments]
        file = tmp_path / "rare.mp4"
        file.write_bytes(b"".join(got))
        decode(file)
        with av.open(str(file)) as container:
            times = [packet.pts for packet in container.demux(video=0) if packet.size]
            assert len(set(times)) == len(times) == round(found.length * 20)
    finally:
        publisher.terminate()
        publisher.wait(20)


def test_windows_over_tls_are_the_same(serve: Callable[..., Server], film: Clip, tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    port = free_ports(1)[0]
    secure = serve(
        vhost_text(play="mw_latency 0;", more="timeshift { window 30; } " + HLS % ""),
        web=f"https {{ enabled on; listen {HOST}:{port}; key {pair.key}; cert {pair.cert}; }}",
    )
    process = push(film.path, secure.publish_url("cam"), loop=True)
    try:
        until(lambda: "cam" in secure.streams(), "publish", 15)
        with Player(secure.http, "/live/cam.flv") as player:
            player.frames(60)
        context = ssl.create_default_context(cafile=str(pair.cert))

        def get(path: str) -> bytes:
            with urllib.request.urlopen(
                f"https://{HOST}:{port}{path}", context=context, timeout=20
            ) as answer:
                return bytes(answer.read())

        path = m3u8.read_master(get("/live/cam.m3u8?window=10").decode()).uri
        segment = m3u8.read_media(get(path).decode()).segments[0]
        body = get(urljoin(path, segment.uri))
        assert body == Got(secure, urljoin(path, segment.uri)).body and len(body) > 1000
    finally:
        end(process)
