"""A wall of cameras in Chromium: sixteen players of one page over HTTP/2 share one TCP connection, and all of them play."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser import MPEGTSJS, PAGE, Browser, Source, find_chromium, find_script
from clip import Clip, end, push
from h2client import established
from server import HOST, Server, until, vhost_text
from tlsfiles import Pair, serve_tls

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

COUNT = 16
CAMERAS = 4
SECONDS = 4.0
OPTIONS = ("--ignore-certificate-errors",)


def done(said: dict[str, Any]) -> bool:
    """Every player has played for a while, or has given up."""
    players = said["players"].values()
    return len(players) == COUNT and all(each["fatal"] or each["played"] > SECONDS for each in players)


@pytest.mark.parametrize("scheme", ["https", "wss"])
def test_sixteen_players_of_one_page_play_over_one_connection(
    serve: Callable[..., Server], pair: Pair, h264: Clip, tmp_path: Path, scheme: str
) -> None:
    find_chromium(), find_script(MPEGTSJS)
    secure = serve_tls(serve, vhost_text(play="mw_latency 0; on_missing 10;"), pair)
    server = secure.server
    names = [f"camera{number}" for number in range(CAMERAS)]
    publishers = [push(h264.path, server.publish_url(name), loop=True) for name in names]
    try:
        until(lambda: len(server.streams()) == CAMERAS, "publish", 30)
        url = f"{scheme}://{HOST}:{secure.https}/live"
        sources = {f"player{at}": Source("flv", f"{url}/{names[at % CAMERAS]}.flv") for at in range(COUNT)}
        page = PAGE
        # WebSockets take a connection that is there and has announced RFC 8441, else each opens one of its own.
        if scheme == "wss":
            first = f"fetch('https://{HOST}:{secure.https}/', {{mode: 'no-cors', credentials: 'include'}})"
            page = tmp_path / "page.html"
            page.write_text(PAGE.read_text().replace('fetch("/go")', f'{first}.then(() => fetch("/go"))'))
        with Browser(sources, tmp_path, page, options=OPTIONS) as browser:
            said = browser.wait(lambda said: True, 120)
            assert said["supported"], "this Chromium has no Media Source Extensions"
            browser.go()
            players = browser.wait(done, 120)["players"]
            clients = [each for each in server.clients() if not each["publish"]]
            connections = established(secure.https)
        assert not any(each["fatal"] for each in players.values()), players
        assert all(each["played"] > SECONDS and each["frames"] > 10 for each in players.values()), players
        assert len(clients) == COUNT
        assert connections == 1
    finally:
        for publisher in publishers:
            end(publisher)
