"""HLS in Chromium with hls.js: what is published plays, without an error that stops it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browser import HLSJS, MPEGTSJS, Browser, Source, find_chromium, find_script
from clip import FORMS, Clip, end, push
from server import HOST, Server, until, vhost_text

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HLS = "hls { enabled on; hls_fragment 1; hls_window 10; %s }"
KEYS = "hls_keys on; hls_fragments_per_key 2;"
PLAYED = {
    "h264_aac": "",
    "h264_mp3": "",
    "audio_only": "",
    "video_only": "",
    "h264_flac": "",
    "av1_opus": "",
    "vp9_opus": "",
    "hevc_aac": "",
    "h264_aac in mp4": "mp4.example.com",
    "audio_only in mp4": "mp4.example.com",
    "h264_aac encrypted": "keys.example.com",
    "h264_aac encrypted in mp4": "mp4keys.example.com",
}
"What is played, and the vhost that makes it so."
SECONDS = 5.0


@pytest.fixture(scope="module")
def told(
    serve: Callable[..., Server], clips: dict[str, Clip], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """What a page told of all players when each had played for a while or had given up."""
    find_chromium(), find_script(HLSJS), find_script(MPEGTSJS)
    server = serve(
        vhost_text(play="mw_latency 0; on_missing 10;", more=HLS % "")
        + f"vhost mp4.example.com {{ {HLS % 'hls_use_fmp4 on; hls_ctx off;'} }}\n"
        + f"vhost keys.example.com {{ {HLS % KEYS} }}\n"
        + f"vhost mp4keys.example.com {{ {HLS % f'hls_use_fmp4 on; {KEYS}'} }}"
    )
    publishers = []
    sources = {}
    try:
        for name, vhost in PLAYED.items():
            form = name.partition(" ")[0]
            if form in clips:
                query = f"?vhost={vhost}" if vhost else ""
                stream = name.replace(" ", "-")
                publishers.append(push(clips[form].path, server.publish_url(stream) + query, loop=True))
                sources[name] = Source("hls", f"http://{HOST}:{server.http}/live/{stream}.m3u8{query}")
        until(lambda: len(server.streams()) == len(sources), "publish", 30)
        with Browser(sources, tmp_path_factory.mktemp("chromium")) as browser:
            said = browser.wait(lambda said: True, 120)
            assert said["supported"], "this Chromium has no Media Source Extensions"
            browser.go()
            yield browser.wait(done, 90)["players"]
    finally:
        for process in publishers:
            end(process)


def done(said: dict[str, Any]) -> bool:
    """Every player has played for a while, or has given up."""
    players = said["players"].values()
    return len(players) > 0 and all(player["fatal"] or player["played"] > SECONDS for player in players)


@pytest.mark.parametrize("name", PLAYED)
def test_a_browser_plays(name: str, told: dict[str, Any]) -> None:
    if name not in told:
        pytest.skip(f"this ffmpeg cannot make {name} in FLV")
    player = told[name]
    if "IncompatibleCodecs" in player["fatal"] or "bufferAddCodec" in player["fatal"]:
        pytest.skip(f"this Chromium does not decode it: {player['fatal']}")
    form = next(form for form in FORMS if form.name == name.partition(" ")[0])
    assert not player["fatal"], player
    assert player["played"] > SECONDS, player
    assert player["target"] <= 2
    if form.video:
        # A busy machine shows fewer than the 20 a second that were published.
        assert player["width"] == 320 and player["frames"] > 20 * SECONDS / 2, player
    if form.audio:
        assert player["sound"] > 1000, player
    assert not {"fragParsingError", "fragLoadError", "levelParsingError", "bufferAppendError"} & set(
        player["errors"]
    ), player
