"""One client that wants the log to grow: its lines are folded with a count, and those about others stay."""

from __future__ import annotations

import re
from collections.abc import Callable

from attack import Attack
from publisher import Publisher, film, headers
from rtmppeer import RtmpPeer
from server import stop

from fastflv import limits

TIMES = 4000


def test_one_client_that_breaks_rtmp_again_and_again_does_not_fill_the_log(
    under_attack: Callable[..., Attack],
) -> None:
    attack = under_attack()
    server = attack.server
    before = len(server.log.text())
    with attack.measured():
        for _ in range(TIMES):
            with RtmpPeer(server.rtmp) as peer:
                peer.raw(b"GET / HTTP/1.1\r\n\r\n")
                assert peer.closed()
    with Publisher(server.rtmp) as publisher:
        publisher.publish("seen")
        publisher.tags([*headers(), *film(5)])
        server.log.wait("publishes /live/seen")
    assert len(server.log.text()) - before < 2 * limits.LOG_FOLD_CHARS
    attack.check_delay()
    assert stop(server.process) == 0
    server.log.close()
    line = r"(?:(\d+) more lines from 127.0.0.1 like this one: )?rtmp 127.0.0.1 closed: 2001 RTMP_HANDSHAKE"
    folded = [re.search(line, each) for each in server.log.lines]
    counted = sum(int(found[1] or 1) for found in folded if found)
    assert counted == TIMES
