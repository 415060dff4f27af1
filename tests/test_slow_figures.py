"""The arithmetic of the benchmark with slow players."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1]))  # the benchmarks are no package that is installed

from benchmarks.fanout.session import Measured
from benchmarks.joins.decode import Decoded
from benchmarks.joins.figures import Frame
from benchmarks.slow.figures import Memory, growth, read_frames, steps
from benchmarks.slow.report import judge
from benchmarks.slow.run import Outcome, Plan
from benchmarks.slow.watch import farewells, told


def curve(*levels: int) -> list[Memory]:
    """One look a second, the first of them before the slow players came."""
    return [Memory(float(second - 1), kib, kib) for second, kib in enumerate(levels)]


def test_flat_memory_has_not_grown() -> None:
    assert growth(curve(10, *[50] * 101)) == 0


def test_what_fills_up_at_first_is_no_growth() -> None:
    assert growth(curve(10, *range(10, 40), *[40] * 71)) == 0


def test_memory_that_goes_on_growing_has_grown() -> None:
    found = growth(curve(10, *range(1000, 1101)))
    assert found is not None and found == pytest.approx(100 * (1095 / 1035 - 1))


def test_growth_of_too_little_is_unknown() -> None:
    assert growth([]) is None
    assert growth(curve(1, 2)) is None


def frames(*numbers: int, keys: tuple[int, ...] = (0,)) -> list[Frame]:
    return [
        Frame(n, 40_000_000 * n + 1, n in keys, 40.0 * n, 40.0 * n, 40_000_000 * n + 5_000_001)
        for n in numbers
    ]


def test_gaps_before_a_keyframe_are_jumps_and_others_are_thinned() -> None:
    found = steps(frames(0, 1, 3, 4, 6, 50, 51, keys=(0, 50)))
    assert (found.frames, found.missing, found.thinned, found.jumps) == (7, 1 + 1 + 43, 2, 1)
    assert found.lag_p50 == found.lag_max == 5


def test_a_player_that_got_all_lost_nothing() -> None:
    assert steps(frames(*range(20)))[1:4] == (0, 0, 0)
    assert steps([])[:4] == (0, 0, 0, 0)


def test_frames_are_read_without_a_line_that_was_cut() -> None:
    text = "7 1000 1 280.000 360.000 2000\n8 1040 0 320.000 320.000 2040\n9 10"
    assert read_frames(text) == [Frame(7, 1000, 1, 280, 360, 2000), Frame(8, 1040, 0, 320, 320, 2040)]


def test_farewells_are_counted_by_reason_and_what_they_count_is_summed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "x player a of /live/s left: closed by the player; 12 bytes in 3.4 s, 5 jumps\n"
        "x player b of /live/s left: too slow; 99 bytes in 60.0 s, 2 jumps, 30 dropped\n"
        "x publisher c of /live/s left: closed; 1 bytes, 7 clock repairs\n"
        "x player d of /live/s left: too slow; 0 bytes in 1.0 s, 1 jumps\n"
    )
    why, sums = farewells(log)
    assert why == {"closed by the player": 1, "too slow": 2}
    assert sums == {"jumps": 8, "dropped": 30}


def test_the_list_of_clients_is_summed_over_those_that_came_later() -> None:
    rows = [
        {"id": "a", "jumps": 1, "lag_ms": 3},
        {"id": "b", "jumps": 4, "lag_ms": 900},
        {"id": "c", "jumps": 2, "lag_ms": 7},
    ]
    assert told(rows, {"a"}) == {"listed": 2, "jumps": 6, "others' jumps": 1, "lag_ms max": 900}
    assert told([{"id": "b"}], set()) == {"listed": 1}


def outcome(with_ms: float, without_ms: float, end_kib: int, decoded: int = 5) -> Outcome:
    out = Outcome(
        "fastflv",
        Plan(1000, 250, 5, 1, 1, "flv"),
        Measured("a", "fastflv", 1000, 0, p99=without_ms),
        Measured("b", "fastflv", 1000, 0, p99=with_ms),
        curve(10, *[1000] * 60, *[end_kib] * 41),
    )
    out.decoded = Decoded(5, decoded, decoded)
    return out


def test_goals_are_judged() -> None:
    assert {g.verdict for g in judge([outcome(10.9, 10, 1020)])} == {"met"}
    assert {
        g.verdict
        for g in judge([outcome(11.1, 10, 1040, 4)])
        if "missing" not in g.what and "rule" not in g.what
    } == {"missed"}
    unknown = {g.what: g.verdict for g in judge([outcome(0, 10, 1000)])}
    assert unknown["others' delay p99 beside / without"] == "not measured"
