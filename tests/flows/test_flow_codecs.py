"""Every codec goes in by a real ffmpeg and comes out untouched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import clip
import pytest
from clip import FORMS, Clip, Form, decode, finish, push
from flvread import AUDIO, SCRIPT, VIDEO, Tag, flv_file, media
from hevclabel import enhanced_hevc, legacy_hevc
from player import Player, Recorder, check_start
from publisher import Publisher
from server import Server, until, vhost_text

from fastflv.media.amf import amf0

NAMES = [form.name for form in FORMS]
BY_NAME = {form.name: form for form in FORMS}


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    # Some of it is published faster than in life: nobody is too late by that.
    play = "mw_latency 0; lag_drop 60000; lag_jump 60000; lag_close 120000;"
    return serve(vhost_text(play=play, remux="on_missing 20;"))


@pytest.fixture(scope="module")
def recordings(server: Server, clips: dict[str, Clip]) -> Iterator[dict[str, Player]]:
    """All clips published at once, each with a player that came first."""
    waiting = {name: Recorder(Player(server.http, f"/live/{name}.flv")) for name in clips}
    publishers = {name: push(made.path, server.publish_url(name)) for name, made in clips.items()}
    for process in publishers.values():
        finish(process)
    players = {name: recorder.done() for name, recorder in waiting.items()}
    yield players
    for player in players.values():
        player.close()


@pytest.fixture(params=NAMES)
def form(request: pytest.FixtureRequest, clips: dict[str, Clip]) -> Form:
    if request.param not in clips:
        pytest.skip(f"this ffmpeg cannot make {request.param} in FLV")
    return BY_NAME[request.param]


def test_the_flv_header_is_true_to_the_tracks(form: Form, recordings: dict[str, Player]) -> None:
    assert recordings[form.name].flv.flags == form.flags


def test_headers_come_first_then_a_keyframe(form: Form, recordings: dict[str, Player]) -> None:
    player = recordings[form.name]
    check_start(player)
    assert player.tags[0].kind == SCRIPT
    assert amf0.decode_all(player.tags[0].body)[0] == "onMetaData"


def check_untouched(sent: list[Tag], got: list[Tag]) -> int:
    """Every frame as it was sent, none left out after the first; return how much time was shifted."""
    shift: set[int] = set()
    for kind in (VIDEO, AUDIO):
        ours, theirs = media(sent, kind), media(got, kind)
        if not ours:
            assert not theirs
            continue
        assert theirs, f"nothing of kind {kind}"
        skipped = next(i for i, tag in enumerate(ours) if tag.body == theirs[0].body)
        assert [tag.body for tag in theirs] == [tag.body for tag in ours[skipped:]]
        if kind == VIDEO:
            assert skipped == 0, "pictures left out at the start"
        shift |= {got.time - sent.time for got, sent in zip(theirs, ours[skipped:], strict=True)}
    assert len(shift) == 1, f"differences between timestamps changed: {sorted(shift)[:9]}"
    return shift.pop()


def test_media_is_untouched_and_keeps_its_time(
    form: Form, recordings: dict[str, Player], clips: dict[str, Clip]
) -> None:
    check_untouched(clips[form.name].flv.tags, recordings[form.name].tags)


def test_sequence_headers_are_those_of_the_publisher(
    form: Form, recordings: dict[str, Player], clips: dict[str, Clip]
) -> None:
    def configs(tags: list[Tag]) -> list[bytes]:
        seen = [tag.body for tag in tags if tag.is_config and tag.kind != SCRIPT]
        return [body for body in dict.fromkeys(seen) if body[1:2] != b"\2" and body[0] & 0x8F != 0x82]

    got = configs(recordings[form.name].tags)
    assert sorted(got) == sorted(configs(clips[form.name].flv.tags))


def test_metadata_is_that_of_a_live_stream(form: Form, recordings: dict[str, Player]) -> None:
    fields = amf0.decode_all(recordings[form.name].tags[0].body)[1]
    assert isinstance(fields, dict)
    assert "duration" not in fields and "filesize" not in fields
    assert str(fields["server"]).startswith("fastflv/")


def test_the_response_ends_cleanly(form: Form, recordings: dict[str, Player]) -> None:
    assert recordings[form.name].chunked
    assert recordings[form.name].clean
    assert recordings[form.name].flv.whole


def test_ffmpeg_decodes_the_recording(form: Form, recordings: dict[str, Player], tmp_path: Path) -> None:
    decode(recordings[form.name].save(tmp_path / "recording.flv"))


# --- what ffmpeg does not send --------------------------------------------------------------------


def relay(server: Server, name: str, tags: list[Tag], **more: int) -> Player:
    """Publish tags by hand, record them to the end."""
    recorder = Recorder(Player(server.http, f"/live/{name}.flv"))
    keys = [i for i, tag in enumerate(tags) if tag.kind == VIDEO and tag.is_key]
    # The request may be read after the first tags: no second keyframe may come before the player is there.
    first = keys[1] if len(keys) > 1 else len(tags) // 2
    with Publisher(server.rtmp, **more) as publisher:
        publisher.publish(name)
        publisher.tags(tags[:first])
        server.log.wait(f"joins /live/{name} ")
        # It starts at the newest keyframe that there is when its thread first looks.
        until(lambda: len(recorder.player.tags) > 0, "the player begins", 20)
        publisher.tags(tags[first:])
        publisher.finish()
    return recorder.done()


def test_hevc_with_codec_id_12_passes_and_decodes(
    server: Server, clips: dict[str, Clip], tmp_path: Path
) -> None:
    if "hevc_aac" not in clips:
        pytest.skip("no HEVC encoder")
    sent = [old for tag in clips["hevc_aac"].flv.tags if (old := legacy_hevc(tag)) is not None]
    with relay(server, "hevc12", sent) as player:
        check_start(player)
        check_untouched(sent, player.tags)
        path = tmp_path / "hevc.flv"
        path.write_bytes(flv_file([enhanced_hevc(tag) for tag in player.tags]))
    decode(path)


@pytest.mark.parametrize(
    "first",
    [0xB2, 0x3E, 0x0E, 0x12, 0x5A, 0x6E, 0xE2],
    ids=["speex", "pcm_le", "pcm", "adpcm", "nelly8", "nelly", "mp3_8k"],
)
def test_other_audio_formats_pass_byte_for_byte(server: Server, first: int) -> None:
    sent = [Tag(SCRIPT, 0, amf0.encode("onMetaData", {"audiocodecid": float(first >> 4)}))]
    sent += [Tag(AUDIO, 20 * i, bytes([first]) + i.to_bytes(2, "big") * 40) for i in range(60)]
    with relay(server, f"audio{first:02x}", sent) as player:
        assert player.flv.flags == 4
        check_untouched(sent, player.tags)


@pytest.mark.parametrize("size", [1, 77, 128, 65536, 0xFFFFFF])
def test_any_chunk_size_gives_the_same_media(server: Server, h264: Clip, size: int) -> None:
    sent = h264.flv.tags[:60]
    with relay(server, f"chunk{size}", sent, chunk_size=size) as player:
        check_untouched(sent, player.tags)


@pytest.mark.parametrize("start", [0, 3 * 3600_000, 0xFFFFFF - 500, 0xFFFFFFFF - 500, 0x7FFFFFFF - 500])
def test_a_publisher_may_start_at_any_time_and_pass_any_wrap(server: Server, h264: Clip, start: int) -> None:
    sent = [tag._replace(time=tag.time + start) if not tag.is_config else tag for tag in h264.flv.tags]
    with relay(server, f"start{start}", sent) as player:
        check_untouched(h264.flv.tags, player.tags)
        assert media(player.tags)[0].time < 1000


def test_shared_clips_pass_untouched(server: Server, tmp_path: Path) -> None:
    folder = Path(__file__).resolve().parents[3] / "shared" / "media"
    files = sorted(folder.glob("*.flv"))
    if not files:
        pytest.skip("no ../shared/media here")
    for path in files:
        sent = clip.read_flv(path.read_bytes()).tags
        with relay(server, path.stem, sent) as player:
            check_start(player)
            check_untouched(sent, player.tags)
            assert player.clean
            decode(player.save(tmp_path / path.name))
