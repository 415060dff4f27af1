"""Parameter sets in MPEG-TS: before each keyframe that has none, as far as the keyframes are worth it."""

from __future__ import annotations

from model.flv import VIDEO, Tag
from model.remuxed import AVC_CONFIG
from model.tsfeed import Bench, video

from fastflv import limits

SETS = 8000
HEAD = Tag(
    VIDEO,
    0,
    # The picture parameter set of the plain header becomes a large one.
    b"\x17\0\0\0\0"
    + AVC_CONFIG[: 8 + int.from_bytes(AVC_CONFIG[6:8], "big")]
    + b"\1"
    + SETS.to_bytes(2, "big")
    + b"\x68" * SETS,
)
KEY = 1
"Flag of an entry that players may start at."


def written(bench: Bench) -> int:
    return sum(row[1] for row in bench.log.tags())


def starts(bench: Bench) -> int:
    return sum(row[4] & KEY for row in bench.log.tags())


def test_tiny_keyframes_with_large_sets_take_bounded_bytes_and_are_no_start():
    bench = Bench().put(HEAD)
    count = 1000
    bench.put(*(video(40 * number, key=True) for number in range(count)))
    assert len(bench.log.tags()) == count, "no picture is lost"
    assert 1 <= starts(bench) <= 2 * limits.TS_SETS_CREDIT_BYTES // SETS
    assert written(bench) < 2 * limits.TS_SETS_CREDIT_BYTES + 4 * 188 * count


def test_a_keyframe_that_is_worth_its_sets_is_always_a_start():
    bench = Bench().put(HEAD)
    for number in range(200):
        bench.put(video(40 * number, b"\x65" + bytes(SETS), key=True))
    assert starts(bench) == 200
    bench.put(*(video(8000 + 40 * number, key=True) for number in range(200)))
    bench.put(video(20_000, b"\x65" + bytes(SETS), key=True))
    assert bench.log.tags()[-1][4] & KEY
