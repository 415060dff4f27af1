"""Headers of any size, from a publisher with any tracks, do not end the server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attack import Attack
from flvread import AUDIO, SCRIPT, VIDEO
from player import Player
from publisher import AAC, AVC, Publisher, film
from server import MIB

from fastflv.media.amf import amf0

SIZES = [100, 31_000, 32_768 - 40, 32_768, 40_000, 60_000]
"Bytes of metadata, around the size from which a block has pages of its own."
TRACKS = {"video": (VIDEO,), "audio": (AUDIO,), "both": (AUDIO, VIDEO)}


def metadata(size: int) -> bytes:
    return amf0.encode("onMetaData", {"width": 320.0, "height": 180.0, "comment": "x" * size})


@pytest.mark.parametrize("tracks", TRACKS)
def test_metadata_of_any_size_does_not_end_the_server(
    under_attack: Callable[..., Attack], tracks: str
) -> None:
    attack = under_attack()
    port = attack.server.rtmp
    with attack.measured():
        for size in SIZES:
            name = f"{tracks}{size}"
            with Publisher(port).publish(name) as publisher:
                publisher.tag(SCRIPT, 0, metadata(size))
                if tracks != "audio":
                    publisher.tag(VIDEO, 0, AVC)
                if tracks != "video":
                    publisher.tag(AUDIO, 0, AAC)
                players = [
                    Player(attack.server.http, f"/live/{name}.{ending}", flv=ending == "flv")
                    for ending in ("flv", "ts")
                ]
                for turn in range(3):
                    frames = film(100, gop=5, start=4000 * turn)
                    publisher.tags(tag for tag in frames if tag.kind in TRACKS[tracks])
                    if turn == 0:
                        assert [player.head().status for player in players] == [200, 200]
                    else:
                        publisher.tag(SCRIPT, 4000 * turn, metadata(size + turn))
                for player in players:
                    with player:
                        player.until(lambda me: len(me.body) > 2000)
                publisher.finish()
    attack.check_delay()
    attack.check_memory(peak=20 * MIB)
