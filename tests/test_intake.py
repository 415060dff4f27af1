"""Intakes on connections whose turns of the loop are over: script data waits, and nothing is lost or overtaken."""

from __future__ import annotations

import pytest
from model.access import request
from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, VIDEO, inter, key, sound
from model.loop import FakeLoop, FakeTransport
from model.publication import NAME, OPTIONS, Site

from fastflv._ext.syntax.flvtag import make_tag
from fastflv.access.request import Action
from fastflv.containers.flv.header import flv_header
from fastflv.containers.flv.reader import walk_tags
from fastflv.media.amf import amf0
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.peer import Peer
from fastflv.net.quiet import QuietSockets
from fastflv.net.turns import Turns
from fastflv.servers.push.intake import Intake, Intakes
from fastflv.servers.push.tcp import FlvTcpServer, TcpPlace
from fastflv.stream.endreason import EndReason

SCRIPT = 18


class Busy(Turns):
    """Turns that are open every so often; what waits runs when the test says so."""

    def __init__(self, every: int, loop: FakeLoop | None = None) -> None:
        super().__init__(loop or FakeLoop())  # type: ignore[arg-type]
        self._every = every
        self._asked = 0
        self.waiting: list = []

    def open(self) -> bool:
        self._asked += 1
        return self._asked % self._every == 0

    def queue(self, call) -> None:
        self.waiting.append(call)

    def run(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()


def film(size: int = 200) -> bytes:
    """Headers, then 30 pictures, each with a cue before it and a sound behind it; each tells its number."""
    tags = [make_tag(VIDEO, 0, AVC_HEADER), make_tag(AUDIO, 0, AAC_HEADER)]
    for i in range(30):
        number = i.to_bytes(4, "big") + bytes(size)
        tags.append(make_tag(SCRIPT, 40 * i, amf0.encode("onCue", {"number": float(i)})))
        tags.append(make_tag(VIDEO, 40 * i, (inter if i else key)(number)))
        tags.append(make_tag(AUDIO, 40 * i, sound(number)))
    return flv_header(audio=True, video=True) + b"".join(tags)


class Carrier:
    sent = 0

    def __init__(self) -> None:
        self.held = False
        self.said: list = []

    def admitted(self) -> None:
        self.said.append("admitted")

    def refused(self, refused) -> None:
        self.said.append("refused")

    def failed(self, why: str) -> None:
        self.said.append(why)

    def dropped(self, reason: EndReason) -> None:
        self.said.append(reason)

    def pause(self) -> None:
        self.held = True

    def resume(self) -> None:
        self.held = False


def written(site: Site, name=NAME) -> list[tuple[int, int, bytes]]:
    """Kind, time and body of each tag in the log, headers and notes left out."""
    log = site.hub.find(name).log
    tags = [tag for tag, _ in walk_tags(log.read(log.tail, log.head))]
    return [tuple(tag) for tag in tags if tag.body not in (AVC_HEADER, AAC_HEADER)]


def plain(data: bytes) -> list[tuple[int, int, bytes]]:
    tags = [tag for tag, _ in walk_tags(data, 13)]
    return [tuple(tag) for tag in tags if tag.body not in (AVC_HEADER, AAC_HEADER)]


def shared(site: Site, turns: Busy) -> Intakes:
    return Intakes(site.publications, turns, lambda vhost: OPTIONS)


@pytest.mark.parametrize("every", [1, 2, 3, 1000])
@pytest.mark.parametrize("step", [1, 100, 100_000])
def test_an_intake_pauses_its_carrier_and_keeps_the_order(every, step):
    site, turns, carrier = Site(), Busy(every), Carrier()
    intake = Intake(shared(site, turns), carrier, request(Action.PUBLISH, vhost=NAME.vhost), NAME)
    intake.begin()
    data = film()
    for at in range(0, len(data), step):
        while carrier.held:
            assert turns.waiting
            turns.run()
        intake.feed(data[at : at + step])
    while carrier.held:
        turns.run()
    assert written(site) == plain(data)
    assert intake.finish() and carrier.said == ["admitted"]
    assert not intake.finish()


def test_an_end_while_script_data_waits_is_an_end():
    site, turns, carrier = Site(), Busy(1000), Carrier()
    intake = Intake(shared(site, turns), carrier, request(Action.PUBLISH, vhost=NAME.vhost), NAME)
    intake.begin()
    intake.feed(film())
    assert carrier.held
    intake.cancel()
    turns.run()
    assert carrier.held and not len(site.clients), "resumed behind the end"


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("step", [1, 1000, 16_000])
def test_a_tcp_connection_reads_nothing_while_it_waits(every, step):
    site, turns, loop = Site(), Busy(every), FakeLoop()
    place = TcpPlace(NAME.vhost, NAME.app)
    limit = ConnectionLimit(1)
    assert limit.take()
    server = FlvTcpServer(loop, shared(site, turns), limit, QuietSockets(loop), place=lambda: place)
    connection, transport = server.connect(Peer("192.0.2.1", "192.0.2.1")), Line(loop)
    connection.connection_made(transport)
    data = film()
    for at in range(0, len(data), step):
        piece = data[at : at + step]
        while not transport.reading:
            loop.turn()
            turns.run()
        connection.get_buffer(-1)[: len(piece)] = piece
        connection.buffer_updated(len(piece))
    while not transport.reading:
        loop.turn()
        turns.run()
    name = NAME._replace(stream="0")
    assert written(site, name) == plain(data)
    connection.eof_received()
    assert transport.gone and not len(site.clients)
    connection.connection_lost(None)
    assert limit.take(), "a place of the limit stays"


class Line(FakeTransport):
    reading = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_extra_info(self, name, default=None):
        return ("192.0.2.2", 8888) if name == "sockname" else super().get_extra_info(name, default)
