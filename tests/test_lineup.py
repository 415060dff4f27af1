"""Two publishers of one stream: the one on standby, when it goes on air, and what players are sent then. The clock is the test's."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import pairwise

import pytest
from model.access import request
from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, VIDEO, log_tags, sound
from model.publication import NAME, OPTIONS, Site, Source

from fastflv import limits
from fastflv._ext.fanout.cursor import Cursor
from fastflv.access.request import Action, Role
from fastflv.config.load import load_text
from fastflv.control.runtime import compile_runtime
from fastflv.errors import StreamBusyError
from fastflv.media.amf import amf0
from fastflv.stream.arrival import ClientState
from fastflv.stream.endreason import EndReason
from fastflv.stream.hub import Switch
from fastflv.stream.lag import Lag
from fastflv.stream.pendingpublish import with_role
from fastflv.stream.stream import Phase

HOUR_MS = 3_600_000
FAILOVER = replace(OPTIONS, stream=replace(OPTIONS.stream, lag=Lag(HOUR_MS, HOUR_MS, HOUR_MS)), failover=1.0)
OTHER_HEADER = AVC_HEADER[:-4] + b"\x01\x00\x02ab"
GOP = 25
"Pictures between two keyframes of an encoder, 40 ms apart."


def picture(mark: str, cts: int = 0, *, key: bool = False) -> bytes:
    return bytes([0x17 if key else 0x27, 1]) + cts.to_bytes(3, "big") + mark.encode()


class Encoder:
    """Sends 25 pictures a second with B-frames and a frame of sound each, by a clock of its own."""

    def __init__(
        self, site: Site, mark: str, role: str = "", begin: int = 0, header: bytes = AVC_HEADER
    ) -> None:
        self.mark = mark
        self.source: Source = site.publish(FAILOVER, id=mark, param=f"?role={role}" if role else "")
        self.source.time = begin
        self.reader = Cursor(self.source.stream.log)
        "Has the log keep all."
        self.number = 0
        self.header = header

    def headers(self) -> None:
        metadata = amf0.encode("onMetaData", {"encoder": self.mark})
        self.source.publication.take_script("onMetaData", metadata, self.source.time)
        self.source.read((VIDEO, self.header), (AUDIO, AAC_HEADER))

    def frame(self) -> None:
        if self.number == 0:
            self.headers()
        mark = f"{self.mark}{self.number}"
        cts = (80, 40, 0)[self.number % 3]
        self.source.read(
            (VIDEO, picture(mark, cts, key=self.number % GOP == 0)), (AUDIO, sound(mark.encode()))
        )
        self.number += 1

    def leave(self) -> None:
        self.source.publication.end(EndReason.PEER_CLOSED)


@pytest.fixture
def site() -> Site:
    return Site()


def go_on(site: Site, seconds: float, *encoders: Encoder) -> None:
    for _ in range(round(seconds / 0.04)):
        for encoder in encoders:
            encoder.frame()
        site.loop.advance(0.04)


def pair(site: Site) -> tuple[Encoder, Encoder]:
    """A primary and a backup that both send, the backup half a GOP behind with another clock and another header."""
    primary = Encoder(site, "p")
    go_on(site, 0.4, primary)
    backup = Encoder(site, "b", "backup", 0xFFFFFF00, OTHER_HEADER)
    go_on(site, 1.0, primary, backup)
    return primary, backup


def played(site: Site):
    return log_tags(site.hub.find(NAME).log)


def pictures(site: Site) -> list[str]:
    return [tag.body[5:].decode() for tag in played(site) if tag.kind == VIDEO and tag.body[1] == 1]


def times(site: Site, kind: int) -> list[int]:
    return [tag.dts_ms for tag in played(site) if tag.kind == kind and tag.body[1] == 1]


def test_a_backup_is_kept_ready_and_not_played(site, caplog):
    caplog.set_level(logging.INFO)
    primary, backup = pair(site)
    stream = primary.source.stream
    assert backup.source.stream is stream and len(site.hub) == 1
    assert (stream.publisher_id, stream.standby_id) == ("p", "b")
    assert [client.state for client in site.clients] == [ClientState.PUBLISHING, ClientState.STANDBY]
    assert "publisher b from 192.0.2.1 stands by for a.example/live/x" in caplog.messages
    assert {mark[0] for mark in pictures(site)} == {"p"}
    assert backup.source.publication.received > 0


@pytest.mark.parametrize("how", ["left", "silent"])
def test_a_backup_goes_on_at_once_from_its_keyframe_with_its_own_headers(site, how):
    primary, backup = pair(site)
    sent = len(pictures(site))
    if how == "left":
        primary.leave()
    else:
        go_on(site, 1.2, backup)
    found = pictures(site)[sent:]
    first = 25 if how == "silent" else 0
    assert found[:5] == [f"b{first + number}" for number in range(5)]
    assert site.hub.switches[Switch(how)] == 1
    stream = site.hub.find(NAME)
    assert (stream.phase, stream.publisher_id, stream.writer.config(9)) == (Phase.LIVE, "b", OTHER_HEADER)
    assert stream.metadata["encoder"] == "b"
    headers = [tag.body for tag in played(site) if tag.is_header and tag.kind == VIDEO]
    assert headers[-1] == OTHER_HEADER


@pytest.mark.parametrize("how", ["left", "silent"])
def test_times_go_on_and_none_is_repeated(site, how):
    primary, backup = pair(site)
    sent = len(played(site))
    last = max(tag.dts_ms for tag in played(site))
    if how == "left":
        primary.leave()
    go_on(site, 3.0, backup)
    dts = times(site, VIDEO)
    assert all(before < after for before, after in pairwise(dts))
    assert min(tag.dts_ms for tag in played(site)[sent:] if tag.kind != 18) >= last
    shown = [
        tag.dts_ms + int.from_bytes(tag.body[2:5], "big")
        for tag in played(site)[sent:]
        if tag.kind == VIDEO and tag.body[1] == 1
    ]
    numbers = [int(tag.body[6:]) for tag in played(site)[sent:] if tag.kind == VIDEO and tag.body[1] == 1]
    order = sorted(range(len(shown)), key=shown.__getitem__)
    by_encoder = sorted(range(len(numbers)), key=lambda at: 40 * numbers[at] + (80, 40, 0)[numbers[at] % 3])
    assert order == by_encoder, "pictures are shown in the order of the encoder"


@pytest.mark.parametrize("how", ["left", "silent"])
def test_the_delay_of_players_does_not_grow(site, how):
    primary, backup = pair(site)
    # A keyframe of the backup is nearly a second old when the primary leaves.
    go_on(site, 0.9, primary, backup)
    before = site.loop.time() * 1000 - times(site, VIDEO)[-1]
    if how == "left":
        primary.leave()
    go_on(site, 3.0, backup)
    behind = times(site, VIDEO)[-1] - (site.loop.time() * 1000 - before)
    assert 0 <= round(behind) <= limits.SPLICE_BURST_MS + limits.TIME_FIRST_STEP_MS
    both = {tag.body[2:]: tag.dts_ms for tag in played(site) if tag.kind == AUDIO and tag.body[1] == 1}
    newest = f"b{backup.number - 1}".encode()
    assert both[newest] == times(site, VIDEO)[-1], "sound and pictures keep their distance"


def test_a_silent_primary_is_replaced_after_failover_and_not_before(site):
    primary, backup = pair(site)
    go_on(site, 0.8, backup)
    assert site.hub.find(NAME).publisher_id == "p"
    go_on(site, 0.32, backup)
    assert site.hub.find(NAME).publisher_id == "b"
    assert primary.source.dropped == []
    assert site.clients.find("p").state is ClientState.STANDBY


def test_a_primary_that_is_back_stands_by_without_failback(site):
    primary, backup = pair(site)
    primary.leave()
    go_on(site, 0.4, backup)
    back = Encoder(site, "q")
    go_on(site, 8.0, backup, back)
    assert (site.hub.find(NAME).publisher_id, site.hub.find(NAME).standby_id) == ("b", "q")
    backup.leave()
    assert site.hub.find(NAME).publisher_id == "q"


def test_with_failback_a_primary_goes_on_at_a_keyframe_once_it_is_steady(site, monkeypatch):
    monkeypatch.setattr("test_lineup.FAILOVER", replace(FAILOVER, failback=True))
    primary, backup = pair(site)
    primary.leave()
    back = Encoder(site, "q")
    go_on(site, limits.FAILBACK_SECONDS - 0.2, backup, back)
    assert site.hub.find(NAME).publisher_id == "b"
    go_on(site, 1.4, backup, back)
    assert site.hub.find(NAME).publisher_id == "q"
    marks = pictures(site)
    first = next(at for at, mark in enumerate(marks) if mark[0] == "q")
    assert int(marks[first][1:]) % GOP == 0
    assert not any(mark[0] == "b" for mark in marks[first:])
    dts = times(site, VIDEO)
    assert all(before < after for before, after in pairwise(dts))
    assert site.hub.switches[Switch.FAILBACK] == 1


def test_when_both_are_silent_the_first_that_sends_again_is_played(site):
    _, backup = pair(site)
    site.loop.advance(2)
    assert site.hub.find(NAME).publisher_id == "p"
    go_on(site, 0.2, backup)
    assert site.hub.find(NAME).publisher_id == "b"


def test_a_backup_alone_is_played_and_a_primary_stands_by(site):
    backup = Encoder(site, "b", "backup")
    go_on(site, 0.4, backup)
    primary = Encoder(site, "p")
    go_on(site, 0.4, backup, primary)
    assert (site.hub.find(NAME).publisher_id, site.hub.find(NAME).standby_id) == ("b", "p")


def test_one_more_of_a_role_is_refused(site):
    pair(site)
    with pytest.raises(StreamBusyError, match="has a publisher already, client p"):
        Encoder(site, "q")
    with pytest.raises(StreamBusyError, match="has a backup publisher already, client b"):
        Encoder(site, "c", "backup")
    assert len(site.clients) == 2


def test_a_gop_beyond_the_bounds_is_not_kept(site):
    primary = Encoder(site, "p")
    go_on(site, 0.4, primary)
    small = replace(FAILOVER, stream=replace(FAILOVER.stream, gop_frames_max=10))
    backup = Encoder(site, "b", "backup")
    backup.source.publication.adopt(small)
    backup.source.publication.stand_by()
    go_on(site, 0.8, primary, backup)
    primary.leave()
    assert site.hub.find(NAME).publisher_id == "b"
    assert {mark[0] for mark in pictures(site)} == {"p"}, "the next keyframe is waited for"
    go_on(site, 0.4, backup)
    assert next(mark for mark in pictures(site) if mark[0] == "b") == "b25"


def test_the_stream_goes_into_grace_when_the_last_leaves(site):
    primary, backup = pair(site)
    backup.leave()
    assert (site.hub.find(NAME).phase, site.hub.find(NAME).standby_id) == (Phase.LIVE, "")
    primary.leave()
    assert site.hub.find(NAME).phase is Phase.GRACE
    site.loop.advance(9)
    assert (len(site.hub), site.loop.timers) == (0, [])


def test_a_backup_that_is_silent_is_closed_while_the_primary_goes_on(site):
    primary, backup = pair(site)
    go_on(site, 6, primary)
    assert backup.source.dropped == [EndReason.SILENT]
    assert (site.hub.find(NAME).publisher_id, site.hub.find(NAME).standby_id) == ("p", "")


# --- takeover ---


def test_a_takeover_replaces_a_publisher_that_is_stuck_and_tells_it_why(site, monkeypatch):
    monkeypatch.setattr("test_lineup.FAILOVER", replace(FAILOVER, takeover=True))
    stuck = Encoder(site, "p")
    go_on(site, 1, stuck)
    site.loop.advance(2)
    fresh = Encoder(site, "q")
    assert stuck.source.dropped == [EndReason.TAKEN_OVER]
    go_on(site, 1, fresh)
    stream = site.hub.find(NAME)
    assert stream is stuck.source.stream and stream.publisher_id == "q"
    assert [client.id for client in site.clients] == ["q"]
    dts = times(site, VIDEO)
    assert all(before < after for before, after in pairwise(dts))
    assert site.hub.switches[Switch.TAKEOVER] == 1
    assert not site.hub.find(NAME).standby_id


def test_a_takeover_takes_the_place_of_its_own_role_alone(site, monkeypatch):
    monkeypatch.setattr("test_lineup.FAILOVER", replace(FAILOVER, takeover=True))
    primary, backup = pair(site)
    fresh = Encoder(site, "c", "backup")
    go_on(site, 0.4, primary, fresh)
    assert (primary.source.dropped, backup.source.dropped) == ([], [EndReason.TAKEN_OVER])
    assert (site.hub.find(NAME).publisher_id, site.hub.find(NAME).standby_id) == ("p", "c")


# --- roles ---


@pytest.mark.parametrize(
    ("stream", "param", "suffix", "found"),
    [
        ("x", "", "", ("x", Role.PRIMARY)),
        ("x", "?role=backup", "", ("x", Role.BACKUP)),
        ("x", "?token=a&role=backup", "_b", ("x", Role.BACKUP)),
        ("x", "?role=other", "_b", ("x", Role.PRIMARY)),
        ("x_b", "", "_b", ("x", Role.BACKUP)),
        ("x_b", "", "", ("x_b", Role.PRIMARY)),
        ("_b", "", "_b", ("_b", Role.PRIMARY)),
    ],
)
def test_a_query_or_the_end_of_a_name_says_the_role(stream, param, suffix, found):
    asked = with_role(replace(request(Action.PUBLISH), stream=stream, param=param), suffix)
    assert (asked.stream, asked.role) == found


def test_the_settings_of_a_vhost_reach_its_publishers():
    text = "publish { takeover on; failover 700; failback on; backup_suffix _b; }"
    options = compile_runtime(load_text(f"listen 1935; vhost v {{ {text} }} vhost w {{ }}"), 1).vhosts
    told = options["v"].publish
    assert (told.takeover, told.failover, told.failback, told.backup_suffix) == (True, 0.7, True, "_b")
    told = options["w"].publish
    assert (told.takeover, told.failover, told.failback, told.backup_suffix) == (False, 1.0, False, "")
