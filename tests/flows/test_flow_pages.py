"""The pages in a real Chromium: `--demo` plays at once, what is shared has no proof, and nothing but the server is asked."""

from __future__ import annotations

import pytest
from model.ports import free_ports
from pagesite import drive, need_pages
from server import HOST, Log, start, stop

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJwYXRoIjoibGl2ZS94In0.c2VjcmV0c2VjcmV0"
HASH = "0123456789abcdef0123456789abcdef"
PROVED = (
    f"stream=live/livestream&token={TOKEN}&vhost=v&only=video&key={HASH}",
    f"stream=live/livestream&txSecret={HASH}&txTime=6B49D200",
    f"stream=live/livestream&auth_key=1800000000-0-0-{HASH}",
    f"url=http://ORIGIN/live/x.flv?KEY1={HASH}%26KEY2=6B49D200",
    f"url=http://ORIGIN/202601312359/{HASH}/live/x.flv",
    f"url=http://ORIGIN/{HASH}/6B49D200/live/x.flv",
    f"url=http://ORIGIN/live/x.flv?token={TOKEN}",
)
"What the address of the player has besides the stream: tokens, signatures of each form, a password, a secret of a hook."

PROOFS = (TOKEN, HASH, "6B49D200", "1800000000", "202601312359", "ann:", "word@")


@pytest.mark.timeout(300)
def test_the_demo_plays_on_the_root_page_in_the_player_and_in_the_console() -> None:
    need_pages()
    rtmp, http, api = free_ports(3)
    process = start([f"--listen={HOST}:{rtmp}", f"--http={HOST}:{http}", f"--api={HOST}:{api}", "--demo"])
    log = Log(process.stderr)
    try:
        address = log.wait("open http", timeout=40).split()[-1]
        assert address == f"http://{HOST}:{http}/"
        log.wait("publishes")
        said = drive("demo", address.rstrip("/"), f"http://{HOST}:{api}", *PROVED)
    finally:
        assert stop(process) == 0, log.text()
    for query, shared in zip(PROVED, said["shared"], strict=True):
        assert not [each for each in PROOFS if each in shared], (query, shared)
        kept = "?stream=live/livestream" if query.startswith("stream=") else "live/x.flv\n"
        assert "left out" in shared and kept in shared, (query, shared)
    assert "vhost=v&only=video" in said["shared"][0]
    assert said["seen"]["errors"] == [] and said["seen"]["foreign"] == [], said["seen"]
    for player in (said["root"], said["player"], said["console"]):
        assert player["width"] == 320 and player["frames"] > 5 and player["time"] > 0.3 and player["muted"]
        # On a busy machine the player is still catching up.
        assert player["ahead"] < 2, player
    assert "/live/livestream" in said["card"]
    assert "H.264" in said["text"] and "AAC" in said["text"]
    print(f"first picture {said['first']:.0f} ms after the navigation")
