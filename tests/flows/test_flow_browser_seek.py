"""Seeking in Chromium: in recordings and clips as plain `<video>`, in FLV by mpegts.js, and back in a live stream by hls.js."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browser import HLSJS, MPEGTSJS, Browser, Source, find_chromium, find_script
from clip import Clip, end, finish, push
from recording import files
from server import HOST, Server, until, vhost_text

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SECONDS = 10
"Of the film that is recorded, and that the live stream repeats."
WINDOW = 20
TARGETS = {"recording.mp4": 6.0, "recording.flv": 6.0, "clip.mp4": 5.0, "window": 2.0}
"Where each player is sent, seconds behind the start of what it says can be sought."


@pytest.fixture(scope="module")
def told(
    serve: Callable[..., Server], film: Clip, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """What a page told of all players when each had been sent back or forth, and had played on."""
    find_chromium(), find_script(HLSJS), find_script(MPEGTSJS)
    folder = tmp_path_factory.mktemp("www")
    dvr = "dvr {{ enabled on; dvr_path {0}/[stream].{1}; }}"
    live = f"timeshift {{ window {WINDOW + 10}; }} hls {{ enabled on; hls_fragment 1; hls_window 4; }}"
    server = serve(
        vhost_text(more=live)
        + f"vhost mp4.example.com {{ publish {{ grace 0; }} {dvr.format(folder, 'mp4')} }}\n"
        + f"vhost flv.example.com {{ publish {{ grace 0; }} {dvr.format(folder, 'flv')} }}",
        web=f"dir {folder};",
    )
    camera = push(film.path, server.publish_url("cam"), loop=True)
    try:
        for kind in ("mp4", "flv"):
            url = f"{server.publish_url('recording')}?vhost={kind}.example.com"
            finish(push(film.path, url, rate=5))
            until(lambda kind=kind: len(files(folder, f".{kind}")) == 1, "a finished recording", 20)
        until(lambda: server.streams()["cam"]["frames"] > WINDOW * 20, "the past", 60)
        site = f"http://{HOST}:{server.http}"
        urls = {
            "recording.mp4": ("file", f"{site}/recording.mp4"),
            "recording.flv": ("flv", f"{site}/recording.flv"),
            "clip.mp4": ("file", f"{site}/clip/live/cam.mp4?from=-{SECONDS}&to=-1"),
            "window": ("hls", f"{site}/live/cam.m3u8?window={WINDOW}"),
        }
        sources = {
            name: Source(kind, url, live=False, seek=TARGETS[name]) for name, (kind, url) in urls.items()
        }
        with Browser(sources, tmp_path_factory.mktemp("chromium")) as browser:
            browser.wait(lambda said: True, 120)
            browser.go()
            yield browser.wait(done, 90)["players"]
    finally:
        end(camera)


def done(said: dict[str, Any]) -> bool:
    """Every player has gone on behind the place that it was sent to, or has given up."""
    players = said["players"].values()
    return len(players) == 4 and all(
        player["fatal"] or player["time"] > player.get("sought", 1e9) + 1.5 for player in players
    )


def sought(player: dict[str, Any], target: float) -> tuple[float, float]:
    """Assert that it is where it was sent to, and plays on; return what it says can be sought."""
    assert not player["fatal"], player
    first, last = player["seekable"]
    assert abs(player["sought"] - first - target) < 0.5, player
    assert player["time"] > player["sought"] + 1 and player["width"] == 320, player
    return first, last


@pytest.mark.parametrize("name", ["recording.mp4", "recording.flv", "clip.mp4"])
def test_a_finished_file_can_be_sought_over_all_of_its_length(name: str, told: dict[str, Any]) -> None:
    first, last = sought(told[name], TARGETS[name])
    assert first == 0 and SECONDS - 1.5 < last < SECONDS + 1.5


def test_a_live_viewer_goes_back_within_the_window(told: dict[str, Any]) -> None:
    player = told["window"]
    first, last = sought(player, TARGETS["window"])
    assert last - first > WINDOW - 3
    # It had begun near the live edge.
    assert player["sought"] < player["from"] - 5
    assert "fragParsingError" not in player["errors"] and "bufferAppendError" not in player["errors"], player
