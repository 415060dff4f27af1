"""What is over is freed at once: logs, half messages and TLS buffers do not wait for the collector of cycles."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from broadcast import Broadcast
from peers import ACTS, Peers, every_output, watching
from server import until

SCRIPT = Path(__file__).with_name("withoutcollector.py")


@pytest.mark.parametrize("act", ACTS)
def test_no_peer_leaves_a_cycle_behind(tmp_path: Path, act: Callable[[Peers], None]) -> None:
    for pipe in ("ask", "garbage"):
        os.mkfifo(tmp_path / pipe)
    with every_output(tmp_path, (str(SCRIPT), str(tmp_path))) as site:
        server = site.server
        # It goes on meanwhile: who says nothing is seen to be gone when it is sent something.
        with Broadcast(server.rtmp, "x"):
            act(Peers(site))
            until(lambda: not watching(server), "all players have left", 20)
        until(lambda: not server.streams(), "all streams have ended", 20)
        (tmp_path / "ask").write_bytes(b"")
        found = json.loads((tmp_path / "garbage").read_text())
    assert not {name: count for name, count in found.items() if name.startswith("fastflv")}, found
    assert sum(found.values()) < 100, found
