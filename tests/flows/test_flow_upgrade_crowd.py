"""Three upgrades in a row under a crowd: nobody's connection ends, and nobody misses a byte."""

from __future__ import annotations

import selectors
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from broadcast import Broadcast
from model.ts import read_ts
from player import Player, check_complete, numbers
from rtmpplayer import RtmpPlayer
from server import vhost_text
from upgrading import UpgradingServer

STREAMS = ("a", "b", "c", "d", "e")
TEXT = vhost_text(play="mw_latency 0; lag_drop 60000; lag_jump 60000; lag_close 60000;").replace(
    ".flv;", ".flv [vhost]/[app]/[stream].ts;"
)


class Audience(threading.Thread):
    """Reads many players in one thread."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.players: list[Player | RtmpPlayer] = []
        self.failure: BaseException | None = None
        self.longest = 0.0
        "Time in which nobody was sent anything, seconds."
        self._selector = selectors.DefaultSelector()
        self._enough = threading.Event()

    def add(self, player: Player | RtmpPlayer) -> None:
        self.players.append(player)
        self._selector.register(player.sock, selectors.EVENT_READ, player)

    def ends(self) -> set[tuple[object, object]]:
        """The addresses of each connection."""
        return {(player.sock.getsockname(), player.sock.getpeername()) for player in self.players}

    def run(self) -> None:
        heard = time.monotonic()
        try:
            while not self._enough.is_set():
                for key, _ in self._selector.select(0.1):
                    key.data.step()
                    assert not key.data.ended
                    now = time.monotonic()
                    self.longest, heard = max(self.longest, now - heard), now
        except BaseException as error:
            self.failure = error

    def stop(self) -> None:
        self._enough.set()
        self.join(60)
        self._selector.close()
        for player in self.players:
            player.sock.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_five_hundred_players_of_five_publishers_go_on_over_three_upgrades(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(UpgradingServer(tmp_path, TEXT, connections=2000))
        for name in STREAMS:
            stack.enter_context(Broadcast(server.rtmp, name, size=200))
        audience = Audience()
        stack.callback(audience.stop)
        for number in range(500):
            name = STREAMS[number % 5]
            if number % 10 == 0:
                audience.add(RtmpPlayer(server.rtmp, timeout=60).open(name))
            elif number % 10 < 3:
                audience.add(Player(server.http, f"/live/{name}.ts", flv=False, timeout=60))
            else:
                audience.add(Player(server.http, f"/live/{name}.flv", timeout=60))
        server.watches(505)
        audience.start()
        ends = audience.ends()
        for _ in range(3):
            time.sleep(2)
            report = server.upgrade()
            assert report["left"] == 0
            assert report["taken"] == {"listeners": 3, "streams": 5, "publishers": 5, "players": 500}
            print(f"taken over in {report['paused_ms']} ms, longest silence of all {audience.longest:.3f} s")
        time.sleep(2)
        assert audience.ends() == ends and len(ends) == 500, "the connections are those of the beginning"
        server.watches(505)
        audience.stop()
        assert audience.failure is None, audience.failure
        for player in audience.players:
            if isinstance(player, Player) and not player.flv.tags:
                body = bytes(player.body)
                found = read_ts(body[: len(body) // 188 * 188])
                assert found.jumps == found.restarts == found.bridges == 0
                assert len(found.pes) > 200
            else:
                check_complete(player)
                assert len(numbers(player)) > 200
        assert audience.longest < 5, "a busy machine is slow, but nobody waits for a time-out"
