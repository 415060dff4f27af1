"""A server that was stopped, as with its machine: nobody is held to the time in which nothing could be read or sent."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path

from httppush import HttpPush
from player import Player, numbers
from publisher import Publisher, film, headers
from server import Server, until, vhost_text

from fastflv import limits


def test_publishers_of_a_server_that_was_stopped_for_a_while_go_on(tmp_path: Path) -> None:
    config = vhost_text(publish="grace 0; normal_timeout 1000; firstpkt_timeout 1000;")
    with Server(tmp_path, config) as stopped, ExitStack() as stack:
        several = [stack.enter_context(Publisher(stopped.rtmp)).publish(f"on{n}") for n in range(5)]
        pushed = stack.enter_context(HttpPush(stopped.http, "/live/pushed.flv"))
        early = stack.enter_context(Publisher(stopped.rtmp)).publish("early")
        pushed.begin(headers())
        silent = stack.enter_context(Publisher(stopped.rtmp)).publish("silent")
        for each in (*several, silent):
            each.tags(headers())
        since = len(stopped.log.lines)
        os.kill(stopped.pid, signal.SIGSTOP)
        try:
            # The kernel takes what the server cannot read.
            for each in (*several, pushed, early):
                each.tags(film(5))
            time.sleep(2.5)
        finally:
            os.kill(stopped.pid, signal.SIGCONT)
        turn = 1
        while not stopped.log.find("publisher of /live/silent is disconnected", since):
            for each in (*several, pushed, early):
                each.tags(film(5, first=5 * turn, start=200 * turn))
            turn += 1
            time.sleep(0.2)
            assert turn < 50
        assert {*stopped.streams()} >= {"pushed", "early", *(f"on{n}" for n in range(5))}
        assert [line for line in stopped.log.find("no media", since) if "silent" not in line] == []


def test_a_player_that_stood_still_with_the_server_has_time_for_the_rest_of_its_stream(
    tmp_path: Path,
) -> None:
    with Server(tmp_path, vhost_text()) as stopped, Publisher(stopped.rtmp) as publisher:
        publisher.publish("over").tags([*headers(), *film(1)])
        with Player(stopped.http, "/live/over.flv", buffer=4096) as player:
            player.frames(1)
            publisher.tags(film(75, size=60_000, first=1))
            until(lambda: stopped.streams()["over"]["frames"] >= 76, "all pictures")
            publisher.close()
            until(lambda: "over" not in stopped.streams(), "the end of the stream")
            os.kill(stopped.pid, signal.SIGSTOP)
            try:
                time.sleep(limits.DRAIN_SECONDS + 0.5)
            finally:
                os.kill(stopped.pid, signal.SIGCONT)
            # The server looks at full sockets meanwhile.
            time.sleep(3 * limits.BLOCKED_CHECK_MS / 1000)
            assert player.rest().clean
            assert numbers(player)[-1] == 75
