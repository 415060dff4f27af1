"""Parts of FLV files from a running server: from byte and time positions, in every codec, damaged, and by ranges."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import clip
import pytest
from flvread import SCRIPT, VIDEO, media, read_flv
from model.ports import free_ports
from server import Server, vhost_text
from tlsfiles import make_pair, trusting
from vodsite import ask, complaint

MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"
LONG = clip.Form("long_h264_aac", clip.X264, "aac -ar 44100 -ac 2 -b:a 64k", seconds=20)
FORMS = (
    "h264_aac",
    "h264_mp3",
    "hevc_aac",
    "av1_opus",
    "vp9_opus",
    "h264_flac",
    "audio_only",
    "mp3_only",
    "video_only",
)
"Clips of two seconds, with keyframes a second apart."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, clips: dict[str, clip.Clip], clip_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("vod")
    made = clip.make(LONG, clip_folder)
    assert made is not None
    shutil.copy(made.path, folder / "long.flv")
    whole = made.path.read_bytes()
    (folder / "torn.flv").write_bytes(whole[: len(whole) * 2 // 3])
    bad = bytearray(whole)
    bad[len(whole) // 2 :] = bytes(len(whole) - len(whole) // 2)
    (folder / "broken.flv").write_bytes(bad)
    (folder / "text.flv").write_text("no FLV at all")
    (folder / "empty.flv").write_bytes(b"")
    (folder / "bare.flv").write_bytes(whole[:13])
    for name in FORMS:
        if name in clips:
            shutil.copy(clips[name].path, folder)
    return folder


@pytest.fixture(scope="module")
def server(
    serve: Callable[..., Server], folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    pair = make_pair(tmp_path_factory.mktemp("pair"))
    (port,) = free_ports(1)
    web = f"dir {folder}; https {{ enabled on; listen {port}; key {pair.key}; cert {pair.cert}; }}"
    made = serve(vhost_text(), web=web)
    made.https = port
    yield made


def check(server: Server, path: str, *, form: str = "flv") -> None:
    """The answer plays from its first frame, to the content of ffmpeg."""
    answer = ask(server.http, path)
    assert not complaint(answer.body, form), path
    frames = answer.frames
    video = [tag for tag in frames if tag.kind == VIDEO]
    assert frames and (not video or (frames[0] is video[0] and video[0].is_key)), path


@pytest.mark.parametrize("name", FORMS)
def test_a_part_of_every_codec_plays_from_its_first_frame(server: Server, folder: Path, name: str) -> None:
    if not (folder / f"{name}.flv").exists():
        pytest.skip("this ffmpeg has no encoder for it")
    size = (folder / f"{name}.flv").stat().st_size
    for start in ("1", str(size // 2), str(size - 1), "0.1s", "1.2", "1.9s&end=2.0s", f"1&end={size - 10}"):
        check(server, f"/{name}.flv?start={start}")


def test_a_start_in_bytes_is_the_keyframe_before_it_with_metadata_and_headers(
    server: Server, folder: Path
) -> None:
    whole = (folder / "long.flv").read_bytes()
    tags = read_flv(whole).tags
    at = 13
    keys = []
    for tag in tags:
        if tag.is_key:
            keys.append((at, tag.time))
        at += 15 + len(tag.body)
    assert len(keys) == 20
    for (position, time), (following, _) in zip(keys[1:], [*keys[2:], (len(whole), 0)], strict=True):
        for start in (position, position + 1, following - 1):
            answer = ask(server.http, f"/long.flv?start={start}")
            head = [tag for tag in answer.flv.tags[:3]]
            assert [(tag.kind, tag.is_config) for tag in head] == [(SCRIPT, True), (9, True), (8, True)]
            assert [tag.body for tag in head] == [tag.body for tag in tags[:3]]
            assert answer.body.endswith(whole[position:])
            assert answer.frames[0].time == time
        by_time = ask(server.http, f"/long.flv?start={time / 1000 + 0.01}s")
        assert by_time.body.endswith(whole[position:])


def test_an_end_by_time_and_in_bytes_leaves_whole_tags(server: Server, folder: Path) -> None:
    answer = ask(server.http, "/long.flv?start=5.0&end=7.5s")
    times = [tag.time for tag in answer.frames]
    assert (times[0], times[-1] < 7500, times[-1] > 7300) == (5000, True, True)
    begin = ask(server.http, "/long.flv?end=3s")
    assert begin.body == (folder / "long.flv").read_bytes()[: len(begin.body)]
    assert 2900 < begin.frames[-1].time < 3000
    part = ask(server.http, "/long.flv?start=100000&end=200000")
    assert 0 < len(part.body) < 250_000
    assert part.frames


def test_players_of_flv_js_get_bytes_as_they_stand(server: Server, folder: Path) -> None:
    whole = (folder / "long.flv").read_bytes()
    assert ask(server.http, "/long.flv?bstart=1000&bend=2999").body == whole[1000:3000]
    assert ask(server.http, "/long.flv?bstart=1000").body == whole[1000:]
    assert ask(server.http, "/long.flv?bstart=0").body == whole
    assert ask(server.http, f"/long.flv?bstart={len(whole)}").status == 416


def test_what_asks_for_nothing_is_answered_with_the_whole_file(server: Server, folder: Path) -> None:
    whole = (folder / "long.flv").read_bytes()
    for query in (
        "",
        "?start=0",
        "?start=-5",
        "?start=gop",
        "?start=",
        "?start=0s",
        "?end=0",
        "?end=9999s",
        "?start=1e3",
    ):
        assert ask(server.http, f"/long.flv{query}").body == whole, query


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_a_part_is_a_resource_of_its_own_with_ranges_a_head_and_conditions(
    server: Server, secure: bool
) -> None:
    port, context = (server.https, trusting()) if secure else (server.http, None)
    path = "/long.flv?start=7.0"
    whole = ask(port, path, context=context)
    size = len(whole.body)
    assert whole.fields["etag"] != ask(port, "/long.flv", "HEAD", context).fields["etag"]
    head = ask(port, path, "HEAD", context)
    assert (head.status, head.fields["content-length"], head.body) == (200, str(size), b"")
    for first, last in ((0, 4), (0, 100), (10, 20_000), (50, size - 1), (2000, 2999)):
        part = ask(port, path, context=context, Range=f"bytes={first}-{last}")
        assert (part.status, part.fields["content-range"]) == (206, f"bytes {first}-{last}/{size}")
        assert part.body == whole.body[first : last + 1]
    assert ask(port, path, context=context, Range=f"bytes={size}-").status == 416
    assert ask(port, path, context=context, If_None_Match=whole.fields["etag"]).status == 304
    assert ask(port, path, "POST", context).status == 405


def test_of_a_damaged_file_comes_what_is_whole_or_a_reason(server: Server, folder: Path) -> None:
    for name in ("torn", "broken"):
        whole = (folder / f"{name}.flv").read_bytes()
        for start in ("1", "3s", str(len(whole) // 3)):
            check(server, f"/{name}.flv?start={start}")
        beyond = ask(server.http, f"/{name}.flv?start={len(whole) - 1}")
        assert beyond.status == 416 and b"lies behind the end" in beyond.body
        assert ask(server.http, f"/{name}.flv?start=19.0").status == 416
    assert b"where the file is damaged" in ask(server.http, "/broken.flv?start=19s").body
    for name in ("text", "empty", "bare"):
        answer = ask(server.http, f"/{name}.flv?start=1")
        assert (answer.status, answer.body[:8]) == (422, b"the file"), name
    assert ask(server.http, "/long.flv?start=9s&end=8s").status == 416
    assert ask(server.http, "/none.flv?start=5").status == 404


def test_random_positions_play_from_their_first_frame(server: Server, folder: Path) -> None:
    chance = random.Random(11)
    files = {"long.flv": 20.0}
    for path in sorted(MEDIA.glob("*.flv")):
        shutil.copy(path, folder)
        files[path.name] = media(read_flv(path.read_bytes()).tags)[-1].time / 1000
    asked = []
    for name, seconds in files.items():
        size = (folder / name).stat().st_size
        asked += [f"/{name}?start={chance.randrange(1, size)}" for _ in range(10)]
        asked += [f"/{name}?start={chance.uniform(0, seconds):.3f}s" for _ in range(10)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda path: check(server, path), asked))


def test_a_file_that_changes_is_read_anew(server: Server, folder: Path, clips: dict[str, clip.Clip]) -> None:
    path = folder / "changing.flv"
    shutil.copy(folder / "long.flv", path)
    assert len(ask(server.http, "/changing.flv?start=15s").frames) > 50
    shutil.copy(clips["audio_only"].path, path)
    found = ask(server.http, "/changing.flv?start=1s")
    assert found.frames and all(tag.kind == 8 for tag in found.frames)
    assert ask(server.http, "/changing.flv?start=15s").status == 416
