"""Players that start in the past of a stream: by every protocol, plain and over TLS, of what a real ffmpeg publishes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from clip import Clip, decode, end, finish, push
from flvread import VIDEO, Tag, flv_file, media
from model import ts
from player import Player, Recorder
from reloading import Make
from rtmpplayer import RtmpPlayer
from server import Server, until, vhost_text
from tlsfiles import Pair, SecureServer, serve_tls, trusting
from wsclient import WebSocket

BACK_MS = 3000
PROTOCOLS = ("flv", "ws", "ts", "rtmp", "https.flv", "wss", "https.ts", "rtmps")
Reader = Player | WebSocket | RtmpPlayer


@pytest.fixture(scope="module")
def secure(serve: Callable[..., object], pair: Pair) -> SecureServer:
    more = "timeshift { window 60; }"
    off = "vhost off { http_remux { enabled on; mount /[app]/[stream].flv; } }"
    text = vhost_text(remux="mount [vhost]/[app]/[stream].ts; on_missing 10;", more=more) + off
    return serve_tls(serve, text, pair)  # type: ignore[arg-type]


def join(secure: SecureServer, name: str, protocol: str, query: str, pair: Pair) -> Reader:
    scheme, _, ending = protocol.partition(".")
    tls = trusting(pair) if scheme in ("https", "wss", "rtmps") else None
    if scheme in ("rtmp", "rtmps"):
        port = secure.rtmps if tls else secure.server.rtmp
        return RtmpPlayer(port, tls=tls).open(f"{name}?{query}")
    port = secure.https if tls else secure.server.http
    if scheme in ("ws", "wss"):
        return WebSocket(port, f"/live/{name}.flv?{query}", tls=tls)
    ending = ending or scheme
    return Player(port, f"/live/{name}.{ending}?{query}", tls=tls, flv=ending == "flv")


class Viewing:
    """What rewound players of all protocols saw, who joined at the picture *at* of the film."""

    def __init__(self, at: int, seconds: dict[str, float], players: dict[str, Reader]) -> None:
        self.at = at
        self.seconds = seconds
        self.players = players


@pytest.fixture(scope="module")
def viewing(secure: SecureServer, film: Clip, pair: Pair) -> Viewing:
    """All players join some 6 s after the begin of a film of 10 s, at 3 s before; each reads to its end."""
    process = push(film.path, secure.server.publish_url("cam"))
    ends: dict[str, float] = {}
    with Player(secure.server.http, "/live/cam.flv") as live:
        live.frames(125)
        began = time.monotonic()
        readers = {
            protocol: Recorder(join(secure, "cam", protocol, f"from=-{BACK_MS // 1000}", pair))
            for protocol in PROTOCOLS
        }
        at = live.count(VIDEO)
        finish(process)
        ends["publisher"] = time.monotonic() - began
        players = {protocol: reader.done(30) for protocol, reader in readers.items()}
        ends["players"] = time.monotonic() - began
    return Viewing(at, ends, players)


def check_past(tags: list[Tag], film: Clip, at: int) -> None:
    """*tags* are the end of the film, from the keyframe nearest to 3 s before its picture *at* on."""
    got, sent = media(tags), media(film.flv.tags)
    assert got[0].is_key
    assert [tag.body for tag in got] == [tag.body for tag in sent[-len(got) :]]
    sent = sent[-len(got) :]
    assert [tag.time - got[0].time for tag in got] == [tag.time - sent[0].time for tag in sent]
    pictures = media(film.flv.tags, VIDEO)
    wanted = pictures[at - 1].time - BACK_MS
    assert abs(sent[0].time - wanted) <= 500 + 300, (
        "the nearest keyframe, but for what came while players asked"
    )


@pytest.mark.parametrize("protocol", [each for each in PROTOCOLS if not each.endswith("ts")])
def test_a_rewound_player_is_sent_exactly_the_tags_of_the_past(
    viewing: Viewing, film: Clip, tmp_path: Path, protocol: str
) -> None:
    player = viewing.players[protocol]
    check_past(player.tags, film, viewing.at)
    configs = [tag for tag in player.tags[:5] if tag.is_config]
    assert len(configs) == 3, "metadata and both sequence headers come first"
    path = tmp_path / "past.flv"
    path.write_bytes(flv_file(player.tags))
    decode(path)


@pytest.mark.parametrize("protocol", [each for each in PROTOCOLS if each.endswith("ts")])
def test_ts_of_the_past_begins_with_a_keyframe_and_decodes(
    viewing: Viewing, tmp_path: Path, protocol: str
) -> None:
    player = viewing.players[protocol]
    assert isinstance(player, Player)
    reader = ts.read_ts(bytes(player.body))
    path = tmp_path / "past.ts"
    path.write_bytes(player.body)
    decode(path)
    flv = viewing.players["flv"]
    pictures = len(media(flv.tags, VIDEO))
    assert abs(sum(pes.pid == 0x100 for pes in reader.pes) - pictures) <= 21


def test_the_past_goes_at_the_pace_of_the_stream_and_is_shown_to_its_end(viewing: Viewing) -> None:
    # Of the 3 s by which they are late, 1 s is sent at once.
    late = viewing.seconds["players"] - viewing.seconds["publisher"]
    assert 1.0 < late < 8.0


def test_a_chase_ends_at_the_live_edge(secure: SecureServer, film: Clip) -> None:
    process = push(film.path, secure.server.publish_url("chased"), loop=True)
    try:
        with Player(secure.server.http, "/live/chased.flv") as live:
            reader = Recorder(live)
            until(lambda: live.count(VIDEO) > 90, "4 s of the stream", 20)
            with Player(secure.server.http, "/live/chased.flv?from=-3&chase=1.5") as late:
                late.frames(10)
                early = media(late.tags, VIDEO)
                assert {later.time - tag.time for tag, later in pairwise(early)} <= {33, 34}, (
                    "two thirds of 50 ms"
                )
                newest = lambda player: media(list(player.tags), VIDEO)[-1].body  # noqa: E731
                deadline = time.monotonic() + 20
                while newest(late) != newest(live):
                    late.frames(1)
                    assert time.monotonic() < deadline
                late.frames(10)
                at = media(late.tags, VIDEO)
                # Between two rounds of the film ffmpeg leaves a gap.
                steps = [later.time - tag.time for tag, later in pairwise(at[-9:])]
                assert steps.count(50) >= 6, steps
                sent = [tag.body for tag in media(film.flv.tags, VIDEO)] * 6
                got = [tag.body for tag in at]
                first = sent.index(got[0])
                assert got == sent[first : first + len(got)], "no picture is missing or repeated"
            end(process)
            reader.done()
    finally:
        end(process)


@pytest.fixture(scope="module")
def young(secure: SecureServer, film: Clip) -> Iterator[None]:
    process = push(film.path, secure.server.publish_url("young"), loop=True)
    with Player(secure.server.http, "/live/young.flv") as live:
        live.frames(60)
        yield
    end(process)


@pytest.mark.usefixtures("young")
@pytest.mark.parametrize("query", ["from=-3600", "from=2001-09-09T12:00:00Z", "from=4102444800"])
def test_what_is_outside_of_the_window_is_416_with_what_there_is(secure: SecureServer, query: str) -> None:
    sentence = "`/live/young` can be had from "
    with Player(secure.server.http, f"/live/young.flv?{query}") as player:
        text = player.text()
        assert player.status == 416 and sentence in text and f"Z; {query} asks for something else" in text
    with WebSocket(secure.server.http, f"/live/young.flv?{query}") as socket:
        assert sentence in socket.text() and socket.status == 416
    with RtmpPlayer(secure.server.rtmp).open(f"young?{query}") as peer:
        peer.told("NetStream.Play.Failed")


@pytest.mark.usefixtures("young")
def test_a_time_of_the_clock_is_a_start_as_well(secure: SecureServer) -> None:
    with Player(secure.server.http, f"/live/young.flv?from={time.time() - 1:.3f}") as player:
        player.frames(30)
        assert media(player.tags, VIDEO)[0].is_key


@pytest.mark.usefixtures("young")
def test_words_that_are_no_moment_are_refused_and_those_of_pages_are_not(secure: SecureServer) -> None:
    for query, status in {"from=7": 400, "from=-1&chase=9": 400, "from=timeline": 200}.items():
        with Player(secure.server.http, f"/live/young.flv?{query}") as player:
            assert player.head().status == status


def test_a_vhost_that_keeps_no_past_says_so(secure: SecureServer, film: Clip) -> None:
    process = push(film.path, f"rtmp://127.0.0.1:{secure.server.rtmp}/live/cam?vhost=off", loop=True)
    try:
        with Player(secure.server.http, "/live/cam.flv", host="off") as live:
            live.frames(5)
            with Player(secure.server.http, "/live/cam.flv?from=-1", host="off") as player:
                assert "keeps no past" in player.text() and player.status == 416
    finally:
        end(process)


def test_a_reload_turns_the_past_on_and_off_for_running_streams(make: Make, film: Clip) -> None:
    off, on = "timeshift { window 0; }", "timeshift { window 60; }"
    server = make(vhost_text(more=off))
    process = push(film.path, server.publish_url("cam"), loop=True)

    def answer(query: str) -> int:
        with Player(server.http, f"/live/cam.flv?{query}") as player:
            return player.head().status

    try:
        with Player(server.http, "/live/cam.flv") as live:
            live.frames(5)
            assert answer("from=-0.5") == 416
            server.change((off, on))
            live.frames(60)
            assert answer("from=-1") == 200
            server.change((on, off))
            assert answer("from=-1") == 416
            live.frames(5)
    finally:
        end(process)


def mapped(server: Server, folder: Path) -> int:
    """Files of *folder* that the server reads as memory."""
    return Path(f"/proc/{server.pid}/maps").read_text().count(str(folder))


def test_the_past_in_files_is_the_same_and_leaves_no_file(make: Make, film: Clip, tmp_path: Path) -> None:
    folder = tmp_path / "past"
    server = make(vhost_text(more=f"timeshift {{ window 60; path {folder}; }}"))
    # Pages of 64 KB are full sooner.
    process = push(film.path, server.publish_url("cam"), loop=True, rate=4)
    try:
        with Player(server.http, "/live/cam.flv") as live:
            live.frames(600)
            until(lambda: mapped(server, folder) >= 2, "pages in files", 20)
            with Player(server.http, "/live/cam.flv?from=-28") as player:
                player.frames(60)
                sent = [tag.body for tag in media(film.flv.tags, VIDEO)] * 4
                got = [tag.body for tag in media(player.tags, VIDEO)]
                first = sent.index(got[0])
                assert got == sent[first : first + len(got)]
            assert list(folder.iterdir()) == []
    finally:
        end(process)


def test_a_folder_that_cannot_be_written_is_named_once_and_the_past_stays(
    make: Make, film: Clip, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    server = make(vhost_text(more=f"timeshift {{ window 60; path {blocked}; }}"))
    process = push(film.path, server.publish_url("cam"), loop=True, rate=4)
    try:
        with Player(server.http, "/live/cam.flv") as live:
            live.frames(600)
            assert str(blocked) in server.expect_error("stays in memory")
            with Player(server.http, "/live/cam.flv?from=-20") as player:
                player.frames(30)
            live.frames(200)
            assert not server.log.find("stays in memory")
    finally:
        end(process)


def test_a_paused_rtmp_player_of_the_past_goes_on_where_it_left(secure: SecureServer, film: Clip) -> None:
    process = push(film.path, secure.server.publish_url("paused"), loop=True)
    try:
        with Player(secure.server.http, "/live/paused.flv") as live:
            live.frames(90)
            with RtmpPlayer(secure.server.rtmp).open("paused?from=-3") as player:
                player.frames(25)
                player.say("pause", True, 0.0).told("NetStream.Pause.Notify")
                live.frames(60)
                had = player.count(VIDEO)
                player.say("pause", False, 0.0).told("NetStream.Unpause.Notify").frames(10)
                got = [tag.body for tag in media(player.tags, VIDEO)]
                sent = [tag.body for tag in media(film.flv.tags, VIDEO)] * 4
                first = sent.index(got[0])
                # It goes on with the next keyframe behind the pause, 20 pictures on at most.
                assert sent.index(got[had], first + had - 1) - (first + had) <= 20
    finally:
        end(process)
