"""What shows that a publisher lives: enough media, not any message. The clock is the test's."""

from __future__ import annotations

import logging

import pytest
from model.flv import AUDIO, VIDEO, inter
from model.publication import Site

from fastflv.stream.endreason import EndReason


def test_a_message_now_and_then_does_not_hold_a_name(caplog):
    caplog.set_level(logging.INFO)
    site = Site()
    source = site.publish()
    source.film()
    for _ in range(4):
        site.loop.advance(2)
        source.read((AUDIO, b"\xaf"))
    assert source.dropped == [EndReason.SILENT]
    assert "publisher of a.example/live/x is disconnected: next to no media for 5 s" in caplog.messages


@pytest.mark.parametrize(("every", "body"), [(4.5, inter(bytes(23))), (0.4, b"\xaf\1\xf8")])
def test_small_pictures_and_sound_that_pauses_go_on(every, body):
    site = Site()
    source = site.publish()
    source.film()
    for _ in range(50):
        site.loop.advance(every)
        source.read((VIDEO if len(body) > 10 else AUDIO, body))
    assert source.dropped == []
