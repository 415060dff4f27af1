"""The benchmark of embedding programs: what its report judges."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # the benchmarks are no package that is installed

from benchmarks.embed.held import HeldTrial
from benchmarks.embed.report import judge, text
from benchmarks.embed.trial import Trial


def trial(label: str = "fastflv", read: int = 1000, cpu: float = 20, missing: int = 0) -> Trial:
    return Trial(label, 100, 100, cpu=cpu, published=1000, read=read, missing_bytes=missing)


def test_cpu_is_judged_by_its_median_and_losses_by_their_sum():
    goals = judge([trial(cpu=20), trial(cpu=90), trial(cpu=30)])
    assert [(goal.value, goal.met) for goal in goals] == [(30, True), (0, True), (0, True)]
    goals = judge([trial(), trial(read=999, missing=20), trial(cpu=61)])
    assert [(goal.value, goal.met) for goal in goals] == [(20, True), (1, False), (20, False)]


def test_tags_that_are_read_twice_are_no_better_than_lost_ones():
    assert [goal.met for goal in judge([trial(read=999), trial(read=1001)])] == [True, False, True]


def test_another_checkout_and_programs_that_read_nothing_are_not_judged():
    unread = Trial("fastflv unread", 100, 0, cpu=5)
    trials = [trial(), unread, trial("before", read=1)]
    assert {goal.scenario for goal in judge(trials)} == {"async for over 100 streams, fastflv"}
    assert "| before | 100 | 100 | 20.0 |" in text(trials, judge(trials))


def test_the_delay_of_players_is_judged_by_what_callbacks_add_to_it():
    held = [HeldTrial("fastflv sleep", 100, "sleep", calm_p99=10, p99=p99, missing=1) for p99 in (11, 14, 90)]
    before = HeldTrial("before sleep", 100, "sleep", calm_p99=10, p99=250)
    goals = judge([*held, before])
    assert [(goal.value, goal.met) for goal in goals] == [(4, True), (3, False)]
    assert "| before sleep | 100 | sleep | 0.0 | 10.0 | 0.0 | 0.0 | 250.0 |" in text([*held, before], goals)
