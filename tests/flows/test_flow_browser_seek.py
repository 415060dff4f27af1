"""Seeking in Chromium: in recordings and clips as plain `<video>`, in FLV by mpegts.js, and back in a live stream by hls.js."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browser import HLSJS, MPEGTSJS, Browser, Source, find_chromium, find_script
from clip import Clip
from seeksite import SECONDS, WINDOW, seek_site
from server import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TARGETS = {"recording.mp4": 6.0, "recording.flv": 6.0, "clip.mp4": 5.0, "window": 2.0}
"Where each player is sent, seconds behind the start of what it says can be sought."


@pytest.fixture(scope="module")
def told(
    serve: Callable[..., Server], film: Clip, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """What a page told of all players when each had been sent back or forth, and had played on."""
    find_chromium(), find_script(HLSJS), find_script(MPEGTSJS)
    with seek_site(serve, film, tmp_path_factory.mktemp("www")) as site:
        urls = {
            "recording.mp4": ("file", site.mp4),
            "recording.flv": ("flv", site.flv),
            "clip.mp4": ("file", f"{site.clip}.mp4?from=-{SECONDS}&to=-1"),
            "window": ("hls", site.playlist),
        }
        sources = {
            name: Source(kind, url, live=False, seek=TARGETS[name]) for name, (kind, url) in urls.items()
        }
        with Browser(sources, tmp_path_factory.mktemp("chromium")) as browser:
            browser.wait(lambda said: True, 120)
            browser.go()
            yield browser.wait(done, 90)["players"]


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
