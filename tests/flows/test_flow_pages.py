"""The root page and the player in a real Chromium: `--demo` plays at once, and nothing but the server is asked."""

from __future__ import annotations

import pytest
from model.ports import free_ports
from pagesite import drive, need_pages
from server import HOST, Log, start, stop


@pytest.mark.timeout(300)
def test_the_demo_plays_on_the_root_page_and_in_the_player() -> None:
    need_pages()
    rtmp, http, api = free_ports(3)
    process = start([f"--listen={HOST}:{rtmp}", f"--http={HOST}:{http}", f"--api={HOST}:{api}", "--demo"])
    log = Log(process.stderr)
    try:
        address = log.wait("open http", timeout=40).split()[-1]
        assert address == f"http://{HOST}:{http}/"
        log.wait("publishes")
        said = drive("demo", address.rstrip("/"))
    finally:
        assert stop(process) == 0, log.text()
    assert said["seen"]["errors"] == [] and said["seen"]["foreign"] == [], said["seen"]
    for player in (said["root"], said["player"]):
        assert player["width"] == 320 and player["frames"] > 10 and player["time"] > 1 and player["muted"]
        # On a busy machine the player is still catching up.
        assert player["ahead"] < 2, player
    assert "H.264" in said["text"] and "AAC" in said["text"]
    print(f"first picture {said['first']:.0f} ms after the navigation")
