"""Each fuzz target, for a short run whose inputs are the same every time."""

from __future__ import annotations

from itertools import islice

import pytest

from fuzzing.__main__ import main
from fuzzing.mutation import inputs
from fuzzing.target import NAMES, load

INPUTS = 300
"Of a target that does not say SHORT."


@pytest.mark.parametrize("name", NAMES)
def test_a_target_finds_nothing_in_its_seeds_and_what_chance_makes_of_them(name):
    target = load(name)
    for data in islice(inputs(target, 7), len(target.SEEDS) + getattr(target, "SHORT", INPUTS)):
        target.check(data)


@pytest.mark.parametrize("name", NAMES)
def test_the_inputs_of_a_seed_are_always_the_same(name):
    target = load(name)
    runs = [list(islice(inputs(target, seed), 60)) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_a_finding_is_kept_and_can_be_checked_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    target = load("forwarded")

    def fail(data: bytes) -> None:
        assert len(data) < 40

    monkeypatch.setattr(target, "check", fail)
    monkeypatch.setattr("sys.argv", ["fuzzing", "forwarded", "--plain"])
    with pytest.raises(AssertionError):
        main()
    (kept,) = tmp_path.glob("build/fuzz/forwarded-crash-*")
    monkeypatch.setattr("sys.argv", ["fuzzing", "forwarded", "--input", str(kept)])
    with pytest.raises(AssertionError):
        main()
    monkeypatch.undo()
    target.check(kept.read_bytes())
