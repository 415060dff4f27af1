"""An encoder that sends sound late: with `mix_correct` every player has sound and pictures in the order of their times."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from clip import Clip, decode
from flvread import AUDIO, VIDEO, Tag, media, read_flv
from player import Player, Recorder
from publisher import Publisher
from reloading import Make, change_of
from server import until, vhost_text

LATE_MS = 300


def late_sound(tags: list[Tag]) -> list[Tag]:
    """The order in which an encoder sends them whose sound takes LATE_MS longer."""
    return sorted(
        tags, key=lambda tag: tag.time + (LATE_MS if tag.kind == AUDIO and not tag.is_config else 0)
    )


def steps_back(tags: list[Tag]) -> int:
    """How often a frame has a time before the one of the frame in front of it."""
    times = [tag.time for tag in media(tags)]
    return sum(after < before for before, after in pairwise(times))


def test_late_sound_is_put_into_its_place_from_the_reload_on_that_asks_for_it(
    make: Make, film: Clip, tmp_path: Path
) -> None:
    # Seconds of media arrive at one moment.
    lag = "lag_drop 30000; lag_jump 30000; lag_close 60000;"
    server = make(vhost_text(play=f"mw_latency 0; mix_correct off; {lag}"))
    sent = late_sound(film.flv.tags)
    assert steps_back(sent) > 100
    half = next(number for number, tag in enumerate(sent) if tag.is_key and tag.time >= 5000)
    with Publisher(server.rtmp) as publisher, Player(server.http, "/live/late.flv") as player:
        recorder = Recorder(player)
        publisher.publish("late").tags(sent[:12])
        until(lambda: player.status, "the player joins", 20)
        publisher.tags(sent[12:half])
        until(lambda: any(tag.time >= 4500 for tag in player.flv.tags), "the first half", 20)
        lines = server.change(("mix_correct off", "mix_correct on"))
        assert change_of(lines, "vhost __defaultVhost__.play.mix_correct") == ("off -> on", "at once")
        publisher.tags(sent[half:])
        publisher.finish()
        recorder.done(20)
    path = tmp_path / "late.flv"
    path.write_bytes(player.body)
    decode(path)
    tags = read_flv(player.body).tags
    for kind in (AUDIO, VIDEO):
        assert [tag.body for tag in media(tags, kind)] == [tag.body for tag in media(sent, kind)]
    number = next(number for number, tag in enumerate(tags) if tag.is_key and tag.time >= 5000)
    assert steps_back(tags[:number]) > 50
    # Sound that was late when the setting came has nothing to be sorted with.
    assert steps_back([tag for tag in tags[number:] if tag.time >= 5000]) == 0
