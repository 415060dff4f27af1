"""What the benchmark of API and metrics makes of its figures."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # the benchmarks are no package that is installed

from benchmarks.control.report import judge, text
from benchmarks.control.trial import QUIET, Answer, Trial


def trial(label: str, *answers: Answer) -> Trial:
    return Trial(label, 300, 5000, [Answer(QUIET, longest_ms=50.0), *answers])


def test_the_longest_turn_of_each_path_is_judged_and_a_scrape_by_its_cost_and_size_too() -> None:
    metrics = Answer("/metrics", first_ms=25.0, longest_ms=9.0, each_ms=12.0, size=400_000)
    streams = Answer("/api/v1/streams", first_ms=3.0, longest_ms=8.0)
    goals = judge([trial("fastflv", metrics, streams), trial("before", Answer("/metrics", longest_ms=99.0))])
    assert [(goal.scenario, goal.what, goal.value, goal.met) for goal in goals] == [
        ("/metrics", "longest turn", 25.0, False),
        ("/metrics", "event loop", 12.0, True),
        ("/metrics", "answer", 0.4, True),
        ("/api/v1/streams", "longest turn", 8.0, True),
    ]
    assert "25.00 ms (goal <= 20 ms) missed" in text([trial("fastflv", metrics)], goals)
