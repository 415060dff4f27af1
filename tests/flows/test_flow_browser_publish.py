"""A page in Chromium publishes by WebSocket: what it sends is what players get, and a refusal has a close code."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from browser import HLSJS, MPEGTSJS, Browser, Source, find_chromium, find_script
from clip import Clip, decode
from flvread import VIDEO, media
from player import Player, Recorder
from pushsite import Casters
from server import HOST

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_page_publishes_on_a_mount_and_on_a_caster(casters: Casters, h264: Clip, tmp_path: Path) -> None:
    find_chromium(), find_script(HLSJS), find_script(MPEGTSJS)
    server = casters.server
    flv = f"data:video/x-flv;base64,{base64.b64encode(h264.path.read_bytes()).decode()}"
    garbage = f"data:text/plain;base64,{base64.b64encode(bytes(5000)).decode()}"
    targets = {
        "mount": f"{flv} ws://{HOST}:{server.http}/live/mount.flv?publish",
        "caster": f"{flv} ws://{HOST}:{casters.caster}/live/caster.flv",
        "garbage": f"{garbage} ws://{HOST}:{server.http}/live/garbage.flv?publish",
        "refused": f"{flv} ws://{HOST}:{server.http}/live/refused.flv?publish&vhost=guarded",
    }
    sources = {name: Source("flv", url) for name, url in targets.items()}
    folder = tmp_path / "chromium"
    folder.mkdir()
    with (
        Browser(sources, folder, Path(__file__).parents[1] / "harness/publish.html") as browser,
        Player(server.http, "/live/mount.flv") as mount,
        Player(server.http, "/live/caster.flv") as caster,
    ):
        recorders = [Recorder(mount), Recorder(caster)]
        browser.wait(lambda said: True, 120)
        browser.go()
        closed = browser.wait(lambda said: len(said["closed"]) == len(sources), 90)["closed"]
        for recorder in recorders:
            recorder.done()
    assert {name: code for name, (code, _) in closed.items()} == {
        "mount": 1000,
        "caster": 1000,
        "garbage": 1007,
        "refused": 3003,
    }
    assert "no FLV header" in closed["garbage"][1]
    for name, player in (("mount", mount), ("caster", caster)):
        assert player.clean and media(player.tags, VIDEO) == media(h264.flv.tags, VIDEO)
        decode(player.save(tmp_path / f"{name}.flv"))
