"""Clips of a live stream: finished files of its past, asked for by browsers and tools, of what a real ffmpeg publishes."""

from __future__ import annotations

import http.client
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from clip import Clip, decode, end, ffmpeg, push
from flvread import VIDEO, media, read_flv
from model import ts
from player import Player
from server import HOST, Server, until, vhost_text

from fastflv import limits
from fastflv.media.amf import amf0

ENDINGS = ("flv", "mp4", "ts")
TYPES = {"ts": "video/MP2T;charset=utf-8", "flv": "video/x-flv", "mp4": "video/mp4"}
GUARDED = """
vhost guarded {
    timeshift { window 60; }
    security { enabled on; allow publish all; deny play all; }
    http_remux { enabled on; mount /[app]/[stream].flv; }
}
"""


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(vhost_text(more="timeshift { window 60; }") + GUARDED)


@pytest.fixture(scope="module")
def live(server: Server, film: Clip) -> Iterator[Player]:
    """A stream that has run for 7 s."""
    process = push(film.path, server.publish_url("cam"), loop=True)
    until(lambda: "cam" in server.streams(), "publish", 15)
    with Player(server.http, "/live/cam.flv") as player:
        player.frames(140)
        yield player
    end(process)


class Answer:
    """What a GET or HEAD came to."""

    def __init__(self, server: Server, target: str, method: str = "GET", **headers: str) -> None:
        link = http.client.HTTPConnection(HOST, server.http, timeout=20)
        link.request(method, target, headers={name.replace("_", "-"): text for name, text in headers.items()})
        got = link.getresponse()
        self.status = got.status
        self.body = got.read()
        self.headers = {name.lower(): text for name, text in got.getheaders()}
        link.close()


def duration(path: Path) -> float:
    """Of a file, as ffmpeg finds it, seconds."""
    said = subprocess.run([ffmpeg(), "-hide_banner", "-i", str(path)], capture_output=True, text=True).stderr
    found = re.search(r"Duration: (\d+):(\d+):([\d.]+)", said)
    assert found is not None, said
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_clip_is_a_finished_file_that_decodes_and_is_as_long_as_asked(
    server: Server, tmp_path: Path, ending: str
) -> None:
    got = Answer(server, f"/clip/live/cam.{ending}?from=-5&to=-2")
    assert got.status == 200, got.body
    assert got.headers["content-type"] == TYPES[ending] and got.headers["accept-ranges"] == "bytes"
    assert int(got.headers["content-length"]) == len(got.body)
    path = tmp_path / f"clip.{ending}"
    path.write_bytes(got.body)
    decode(path)
    # From the keyframe before its start on; there is one each second.
    assert 2.9 <= duration(path) <= 4.3


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_clip_can_be_sought_in(server: Server, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"clip.{ending}"
    path.write_bytes(Answer(server, f"/clip/live/cam.{ending}?from=-5&to=-1").body)
    words = [ffmpeg(), "-v", "error", "-ss", "2", "-i", str(path), "-frames:v", "5", "-f", "null", "-"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    # A TS has no index: ffmpeg may begin between two keyframes.
    assert done.returncode == 0 and (ending == "ts" or not done.stderr), done.stderr


def test_an_flv_clip_has_exactly_the_tags_of_the_past_and_an_index(
    server: Server, live: Player, film: Clip
) -> None:
    body = Answer(server, "/clip/live/cam.flv?from=-3&to=-1").body
    tags = read_flv(body).tags
    got = [tag.body for tag in media(tags, VIDEO)]
    sent = [tag.body for tag in media(film.flv.tags, VIDEO)] * 30
    first = sent.index(got[0])
    assert got == sent[first : first + len(got)] and media(tags, VIDEO)[0].is_key
    _, fields = amf0.decode_all(tags[0].body)[:2]
    assert isinstance(fields, dict)
    assert fields["filesize"] == len(body)
    assert abs(fields["duration"] - media(tags)[-1].time / 1000) < 0.2
    index = fields["keyframes"]
    assert isinstance(index, dict) and len(index["filepositions"]) == sum(tag.is_key for tag in tags)
    assert {body[int(at)] for at in index["filepositions"]} == {VIDEO}


def test_a_ts_clip_has_the_pictures_of_the_past(server: Server, live: Player, film: Clip) -> None:
    body = Answer(server, "/clip/live/cam.ts?from=-4&to=-1").body
    reader = ts.read_ts(body)
    pictures = [pes for pes in reader.pes if pes.pid == 0x100]
    assert reader.restarts == 0 and pictures[0].random_access
    assert 60 <= len(pictures) <= 82, "3 s and up to a second before"


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("ending", ENDINGS)
def test_ranges_of_a_clip_are_of_the_one_that_was_begun(server: Server, ending: str) -> None:
    target = f"/clip/live/cam.{ending}?from=-5&to=-2&who={ending}"
    whole = Answer(server, target, Range="bytes=0-")
    assert whole.status == 206
    tag = whole.headers["etag"]
    for headers in ({"Range": "bytes=1000-1999"}, {"Range": "bytes=1000-1999", "If-Range": tag}):
        part = Answer(server, target, **headers)
        assert part.status == 206 and part.body == whole.body[1000:2000]
        assert part.headers["content-range"] == f"bytes 1000-1999/{len(whole.body)}"
        assert part.headers["etag"] == tag
    assert Answer(server, target, Range=f"bytes={1 << 40}-").status == 416
    head = Answer(server, f"/clip/live/cam.{ending}?from=-5&to=-2", "HEAD")
    assert head.status == 200 and int(head.headers["content-length"]) > 1000 and not head.body


def test_equal_clips_are_made_once(server: Server, live: Player) -> None:
    """A part that ends before now, named by the clock, is the same whoever asks for it."""
    begin, until_ = time.time() - 4, time.time() - 2
    target = f"/clip/live/cam.ts?from={begin:.3f}&to={until_:.3f}"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: Answer(server, target), range(8)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.headers["etag"] for answer in answers}) == 1


@pytest.mark.usefixtures("live")
def test_clips_that_are_kept_hold_few_descriptors(server: Server) -> None:
    before, begin = server.fds(), time.time() - 5
    ends = [begin + 0.5 + number * 0.04 for number in range(limits.CLIPS_MAX + 20)]
    answers = [Answer(server, f"/clip/live/cam.ts?from={begin:.3f}&to={until_:.3f}") for until_ in ends]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.headers["etag"] for answer in answers}) > limits.CLIPS_MAX
    assert server.fds() - before <= limits.CLIPS_MAX + 4


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ("from=-3600&to=-5", 416, "can be had from"),
        ("from=-5&to=2100-01-01T00:00:00Z", 416, "can be had from"),
        ("from=-2&to=-5", 400, "the end is not behind the start"),
        ("from=yesterday", 400, "write seconds before now"),
        ("from=-5&to=now", 400, "write seconds before now"),
    ],
)
def test_what_is_no_clip_is_refused_with_a_sentence(
    server: Server, query: str, status: int, text: str
) -> None:
    got = Answer(server, f"/clip/live/cam.ts?{query}")
    assert got.status == status and text in got.body.decode() and b"/live/cam" in got.body


@pytest.mark.usefixtures("live")
def test_a_clip_of_no_stream_is_404_and_so_is_one_without_a_moment(server: Server) -> None:
    assert Answer(server, "/clip/live/none.ts?from=-5").status == 404
    assert Answer(server, "/clip/live/cam.ts").status == 404


def test_a_clip_passes_the_gate_as_a_play(server: Server, film: Clip) -> None:
    process = push(film.path, server.publish_url("cam") + "?vhost=guarded", loop=True)
    try:
        until(lambda: len(server.streams()) and "guarded" in str(server.ask("vhosts")), "publish", 15)
        assert Answer(server, "/clip/live/cam.ts?from=-1", Host="guarded").status == 403
    finally:
        end(process)


def test_live_players_are_as_before_while_clips_are_made(server: Server, live: Player, film: Clip) -> None:
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(Answer, server, f"/clip/live/cam.ts?from=-6&to=-{n / 100}") for n in range(40)]
        before = live.count(VIDEO)
        live.frames(40)
        assert all(job.result().status == 200 for job in jobs)
    sent = [tag.body for tag in media(film.flv.tags, VIDEO)] * 20
    got = [tag.body for tag in media(live.tags, VIDEO)][before:]
    first = sent.index(got[0])
    assert got == sent[first : first + len(got)]
