"""`security { }` and `refer { }` on a running server: who is refused hears why, is written down once, and is never a client."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
from flvread import flv_file
from player import Player
from publisher import Publisher, Refused, film, headers
from rtmpplayer import RtmpPlayer
from server import HOST, Server
from tlsfiles import SecureServer, make_pair, serve_tls, trusting
from wsclient import WebSocket

OTHER = "127.0.0.2"
"The address that the configuration denies."

PAGES = "?vhost=pages.example"
OPEN = "?vhost=open.example"
MORE = """
    play { start gop; mw_latency 0; }
    publish { grace 0; }
    hls { enabled on; hls_fragment 1; }
    http_remux { enabled on; on_missing 0; mount [vhost]/[app]/[stream].flv [vhost]/[app]/[stream].ts [vhost]/[app]/[stream].aac; }
"""
VHOSTS = f"""
vhost __defaultVhost__ {{
    {MORE}
    security {{ enabled on; deny play {OTHER}; allow play all; allow publish {HOST}; }}
}}
vhost pages.example {{
    {MORE}
    refer {{ enabled on; play good.example; publish studio.example; }}
}}
vhost open.example {{
    {MORE}
    security {{ enabled off; deny play all; deny publish all; }}
    refer {{ enabled off; all nowhere.example; }}
}}
"""


class Answer(NamedTuple):
    """What a client was told."""

    status: int | str
    "Of HTTP, the code of a WebSocket's close, or that of onStatus; 200 and 101 come with media."

    why: str = ""


# --- one client of each output, and of each input --------------------------------------------


class Site(NamedTuple):
    """The running server."""

    secure: SecureServer

    @property
    def server(self) -> Server:
        return self.secure.server

    def ports(self, scheme: str) -> dict[str, Any]:
        """Port and TLS of a client."""
        tls = trusting() if scheme in ("https", "wss", "rtmps") else None
        web = scheme not in ("rtmp", "rtmps")
        if tls is None:
            return {"port": self.server.http if web else self.server.rtmp, "tls": tls}
        return {"port": self.secure.https if web else self.secure.rtmps, "tls": tls}


def why_of(body: str, name: str) -> str:
    """The reason in the body of a refusal, behind the stream that it names."""
    stream, _, why = body.strip().partition(": ")
    assert stream.endswith(f"/live/{name}")
    return why


def http_play(site: Site, scheme: str, ending: str, name: str, query: str, source: str, page: str) -> Answer:
    fields = (f"Referer: {page}",) if page else ()
    target = f"/live/{name}.{ending}{query}"
    with Player(**site.ports(scheme), target=target, flv=False, headers=fields, source=source) as player:
        player.head()
        answer = Answer(player.status, "" if player.status == 200 else why_of(player.text(), name))
        if ending == "m3u8" and player.status == 200:
            assert "#EXTM3U" in player.text()
        elif player.status == 200:
            player.until(lambda me: len(me.body) > 0)
        # The refused are no clients, neither now nor when they leave.
        check_clients(site, url_of(name, query), source, player.status == 200)
    return answer


def ws_play(site: Site, scheme: str, name: str, query: str, source: str, page: str) -> Answer:
    more: dict[str, str | None] = {"Origin": page} if page else {}
    target = f"/live/{name}.flv{query}"
    with WebSocket(**site.ports(scheme), target=target, more=more, source=source, polite=False) as socket:
        socket.until(lambda me: len(me.messages) > 0 or me.code > 0)
        check_clients(site, url_of(name, query), source, not socket.code)
        return Answer(socket.code or socket.status, socket.reason)


def rtmp_play(site: Site, scheme: str, name: str, query: str, source: str, page: str) -> Answer:
    told = {"pageUrl": page} if page else {}
    with RtmpPlayer(**site.ports(scheme), source=source) as player:
        player.open(name + query, **told)
        info = player.wait("onStatus", 0)[3]
        if info["level"] != "error":
            player.frames(1)
            check_clients(site, url_of(name, query), source, True)
            return Answer(200)
        check_clients(site, url_of(name, query), source, False)
        assert player.rest().ended and not player.tags
        return Answer(info["code"], info["description"])


OUTPUTS: dict[str, Callable[[Site, str, str, str, str], Answer]] = {
    "HTTP-FLV": lambda site, *how: http_play(site, "http", "flv", *how),
    "HTTPS-FLV": lambda site, *how: http_play(site, "https", "flv", *how),
    "WS-FLV": lambda site, *how: ws_play(site, "ws", *how),
    "WSS-FLV": lambda site, *how: ws_play(site, "wss", *how),
    "HTTP-TS": lambda site, *how: http_play(site, "http", "ts", *how),
    "HTTP-AAC": lambda site, *how: http_play(site, "http", "aac", *how),
    "HLS over HTTP": lambda site, *how: http_play(site, "http", "m3u8", *how),
    "HLS over HTTPS": lambda site, *how: http_play(site, "https", "m3u8", *how),
    "RTMP": lambda site, *how: rtmp_play(site, "rtmp", *how),
    "RTMPS": lambda site, *how: rtmp_play(site, "rtmps", *how),
}
MEDIA = {"WS-FLV": 101, "WSS-FLV": 101}
REFUSED: dict[str, int | str] = {
    "WS-FLV": 3003, "WSS-FLV": 3003, "RTMP": "NetStream.Play.Failed", "RTMPS": "NetStream.Play.Failed",
}  # fmt: skip


def rtmp_publish(site: Site, scheme: str, name: str, query: str, source: str, page: str) -> Answer:
    with Publisher(**site.ports(scheme), source=source) as publisher:
        publisher.connect(page_url=page)
        try:
            publisher.begin(name + query)
        except Refused as error:
            check_clients(site, url_of(name, query), source, False, publish=True)
            assert publisher.closed()
            return Answer(str(error))
        check_clients(site, url_of(name, query), source, True, publish=True)
        publisher.finish()
        return Answer(200)


def http_publish(site: Site, scheme: str, name: str, query: str, source: str, page: str) -> Answer:
    fields = ("Transfer-Encoding: chunked", *((f"Referer: {page}",) if page else ()))
    target = f"/live/{name}.flv{query}"
    with Player(
        **site.ports(scheme), target=target, method="POST", flv=False, headers=fields, source=source
    ) as player:
        data = flv_file(headers())
        with suppress(ConnectionError):
            player.sock.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))
        text = player.text()
        check_clients(site, url_of(name, query), source, False, publish=True)
        return Answer(player.status, why_of(text, name) if player.status != 200 else "")


INPUTS: dict[str, Callable[[Site, str, str, str, str], Answer]] = {
    "RTMP": lambda site, *how: rtmp_publish(site, "rtmp", *how),
    "RTMPS": lambda site, *how: rtmp_publish(site, "rtmps", *how),
    "HTTP push": lambda site, *how: http_publish(site, "http", *how),
    "HTTPS push": lambda site, *how: http_publish(site, "https", *how),
}


def check_clients(site: Site, url: str, source: str, there: bool, *, publish: bool = False) -> None:
    """The API lists a client of the stream from an address, or knows of none."""
    rows = [row for row in site.server.clients() if row["url"] == url and row["publish"] == publish]
    assert (source in [row["ip"] for row in rows]) == there, rows


def url_of(name: str, query: str) -> str:
    """A stream as the API shows it."""
    return f"{query.partition('=')[2]}/live/{name}"


# --- the server ------------------------------------------------------------------------------


class Feed(threading.Thread):
    """Publishes `on_air` on every vhost, ten pictures a second."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._over = threading.Event()
        self._publishers = [
            Publisher(port).connect(page_url="http://studio.example/desk") for _ in ("", PAGES, OPEN)
        ]
        for publisher, query in zip(self._publishers, ("", PAGES, OPEN), strict=True):
            publisher.begin(f"on_air{query}")
            publisher.tags([*headers(), *film(60, gop=5)])
        self.start()

    def run(self) -> None:
        number = 60
        while not self._over.wait(0.1):
            for publisher in self._publishers:
                publisher.tags(film(1, start=40 * number, first=number))
            number += 1

    def stop(self) -> None:
        self._over.set()
        self.join(10)
        for publisher in self._publishers:
            publisher.finish()


@pytest.fixture(scope="module")
def site(serve: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server where `on_air` is live on every vhost."""
    running = Site(serve_tls(serve, VHOSTS, make_pair(tmp_path_factory.mktemp("tls"))))
    feed = Feed(running.server.rtmp)
    yield running
    feed.stop()


class Log(NamedTuple):
    """What the server writes from now on."""

    server: Server
    since: int

    def refusals(self) -> list[str]:
        return self.server.log.find("refused", self.since)


@pytest.fixture
def log(site: Site) -> Log:
    return Log(site.server, len(site.server.log.lines))


def check_line(log: Log, kind: str, source: str, name: str, why: str) -> None:
    """One line says why."""
    pattern = (
        rf"{kind} \w{{8}} from {re.escape(source)} of \S*/live/{name} refused: forbidden, {re.escape(why)}$"
    )
    log.server.log.wait(pattern, log.since)
    assert len(log.refusals()) == 1, log.refusals()


# --- security --------------------------------------------------------------------------------


@pytest.mark.parametrize("output", OUTPUTS)
def test_an_address_that_is_denied_plays_nothing(site: Site, log: Log, output: str) -> None:
    why = f"'deny play {OTHER}' matches {OTHER}"
    answer = OUTPUTS[output](site, "on_air", "", OTHER, "")
    assert answer == (REFUSED.get(output, 403), why)
    check_line(log, "player", OTHER, "on_air", why)


@pytest.mark.parametrize("output", OUTPUTS)
def test_all_other_addresses_play(site: Site, log: Log, output: str) -> None:
    assert OUTPUTS[output](site, "on_air", "", HOST, "") == (MEDIA.get(output, 200), "")
    assert not log.refusals()


@pytest.mark.parametrize("input_", INPUTS)
def test_an_address_that_is_not_allowed_publishes_nothing(site: Site, log: Log, input_: str) -> None:
    why = f"no 'allow publish' matches {OTHER}"
    answer = INPUTS[input_](site, "denied", "", OTHER, "")
    assert answer in ((403, why), ("NetStream.Publish.Denied", ""))
    check_line(log, "publisher", OTHER, "denied", why)


@pytest.mark.parametrize("input_", INPUTS)
def test_the_allowed_address_publishes(site: Site, log: Log, input_: str) -> None:
    assert INPUTS[input_](site, f"allowed_{len(input_)}", "", HOST, "").status == 200
    assert not log.refusals()


def test_a_stranger_does_not_choose_its_address(site: Site, log: Log) -> None:
    fields = (f"X-Forwarded-For: {HOST}", f"X-Real-IP: {HOST}", f"Forwarded: for={HOST}")
    with Player(site.server.http, "/live/on_air.flv", headers=fields, source=OTHER) as player:
        assert player.head().status == 403
    check_line(log, "player", OTHER, "on_air", f"'deny play {OTHER}' matches {OTHER}")


# --- refer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("http://evil.example/good.example", "the page host 'evil.example'"),
        ("https://evilgood.example/", "the page host 'evilgood.example'"),
        ("", "a client without a page"),
    ],
    ids=["another site", "a name that ends alike", "no page"],
)
def test_a_page_that_is_not_listed_plays_nothing(
    site: Site, log: Log, output: str, page: str, found: str
) -> None:
    why = f"refer 'play good.example' does not list {found}"
    answer = OUTPUTS[output](site, "on_air", PAGES, OTHER, page)
    assert answer == (REFUSED.get(output, 403), why)
    check_line(log, "player", OTHER, "on_air", why)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("page", ["https://good.example/live?x=1", "http://www.good.example:8000/"])
def test_a_listed_page_plays(site: Site, log: Log, output: str, page: str) -> None:
    assert OUTPUTS[output](site, "on_air", PAGES, HOST, page) == (MEDIA.get(output, 200), "")
    assert not log.refusals()


@pytest.mark.parametrize("input_", INPUTS)
def test_a_page_that_is_not_listed_publishes_nothing(site: Site, log: Log, input_: str) -> None:
    why = "refer 'publish studio.example' does not list the page host 'good.example'"
    answer = INPUTS[input_](site, "denied", PAGES, OTHER, "http://good.example/")
    assert answer in ((403, why), ("NetStream.Publish.Denied", ""))
    check_line(log, "publisher", OTHER, "denied", why)


@pytest.mark.parametrize("input_", INPUTS)
def test_a_listed_page_publishes(site: Site, log: Log, input_: str) -> None:
    name = f"listed_{len(input_)}"
    assert INPUTS[input_](site, name, PAGES, HOST, "http://studio.example/").status == 200
    assert not log.refusals()


@pytest.mark.parametrize("output", OUTPUTS)
def test_blocks_that_are_off_refuse_nobody(site: Site, log: Log, output: str) -> None:
    assert OUTPUTS[output](site, "on_air", OPEN, OTHER, "").status == MEDIA.get(output, 200)
    assert not log.refusals()
