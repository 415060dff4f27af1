"""The player page in a real Chromium: every codec, what it says of ends, and a page of another site."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clip import Clip
from pagesite import drive, need_pages, origin, published
from server import HOST, Server, vhost_text

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PLAY = "mw_latency 0; start compact; live_clock on; on_missing 5;"
BY_HLS = ("h264_flac", "av1_opus", "vp9_opus")
"What mpegts.js does not read from FLV, so the player goes on by HLS."
HLS = "hls { enabled on; hls_fragment 1; hls_window 10; }"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    need_pages()
    return serve(vhost_text(play=PLAY, more=HLS))


@pytest.fixture(scope="module")
def told(server: Server, clips: dict[str, Clip]) -> Iterator[dict[str, Any]]:
    """What the player showed of each clip, and of one by the other ways."""
    with published(server, clips):
        yield drive("codecs", origin(server), *clips, "h264_aac:http", "h264_aac:hls", timeout=120)


def form_of(name: str) -> str:
    return name.partition(":")[0]


@pytest.mark.parametrize(
    "name",
    ["h264_aac", "h264_aac:http", "h264_aac:hls", "h264_mp3", "h264_flac", "av1_opus", "vp9_opus", "h264_alaw", "h264_mulaw", "h264_two_tracks", "video_only"],
)  # fmt: skip
def test_a_picture_plays_with_its_sound_near_the_live_edge(name: str, told: dict[str, Any]) -> None:
    if form_of(name) not in told:
        pytest.skip(f"this ffmpeg cannot make {name} in FLV")
    player = told[name]
    if "does not decode" in player["said"]:
        pytest.skip(player["said"])
    assert player["plays"] and player["width"] == 320 and player["frames"] > 30, player
    assert not player["errors"], player
    by_hls = form_of(name) in BY_HLS
    assert ["plays by HLS" in said for said in player["lacking"]] == [True] * by_hls, player
    assert not player["unmute"], player
    if name != "video_only":
        assert not player["muted"], player
        assert player["heard"] > 1.5 if "law" in name else player["decoded"] > 1000, player
    if not by_hls and not name.endswith("hls"):
        # By the clock in the stream, not by what is buffered.
        assert "by the clock" in player["text"], player
        assert player["ahead"] < 2, player


@pytest.mark.parametrize("name", ["audio_only", "mp3_only"])
def test_sound_alone_plays_and_is_shown_as_such(name: str, told: dict[str, Any]) -> None:
    player = told[name]
    assert player["plays"] and player["sound"] and player["decoded"] > 1000, player


@pytest.mark.parametrize(("name", "shown"), [("hevc_aac", "HEVC (H.265)"), ("h264_ac3", "AC-3")])
def test_a_codec_that_the_browser_lacks_is_named_with_what_works(
    name: str, shown: str, told: dict[str, Any]
) -> None:
    if name not in told:
        pytest.skip(f"this ffmpeg cannot make {name} in FLV")
    player = told[name]
    if "hevc" not in name:
        if not player["lacking"]:
            pytest.skip(f"this Chromium decodes {shown}")
        assert player["plays"] and player["width"] == 320 and shown in player["lacking"][0], player
    elif player["plays"]:
        pytest.skip(f"this Chromium decodes {shown}")
    else:
        assert shown in player["said"], player
        assert player["buttons"] == ["Play the sound alone", "Copy the address for VLC"]


def test_a_browser_without_media_source_extensions_plays_by_its_own_hls(server: Server, h264: Clip) -> None:
    with published(server, {"native": h264}):
        said = drive("native", origin(server), "live/native", timeout=60)
    if not said["can"]:
        pytest.skip("this Chromium has no HLS of its own")
    assert said["way"] == "HLS" and said["width"] == 320 and said["lacking"] == [], said
    assert said["frames"] > 10 and said["decoded"] > 1000, said
    assert said["wide"] <= 0 and said["faults"] == [] and said["seen"]["errors"] == [], said


def test_the_player_says_why_it_ended_and_comes_back(server: Server, h264: Clip) -> None:
    with published(server, {"life": h264}):
        said = drive("life", origin(server), f"http://{HOST}:{server.api}", "life", timeout=100)
    assert "disconnected this player" in said["kicked"]
    assert "publisher left" in said["ended"] and "Next try" in said["ended"]
    assert said["back"]["time"] > 0.5 and "reconnects" in said["reconnects"]
    assert said["heard"] is False
    assert said["pasted"]["way"] == "HTTP-FLV"
    assert said["framed"] == 0
    assert said["seen"]["errors"] == said["seen"]["foreign"] == []
