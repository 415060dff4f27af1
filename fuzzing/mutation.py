"""Inputs from seeds by chance: for short runs with a fixed seed, and where atheris is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from fuzzing.target import Target

BYTES_MAX = 8192
"Longest input."


def inputs(target: Target, seed: int) -> Iterator[bytes]:
    """Yield the seeds of *target*, then inputs without end; equal for equal *seed*."""
    yield from target.SEEDS
    random = Random(seed)
    kept = list(target.SEEDS)
    while True:
        data = bytearray(random.choice(kept))
        for _ in range(random.choice((1, 1, 2, 3, 8))):
            _change(random, data, target)
        made = bytes(data[:BYTES_MAX])
        # Some stay, so that changes add up.
        if random.randrange(16) == 0:
            kept[len(target.SEEDS) :] = [*kept[len(target.SEEDS) :][-63:], made]
        yield made


def _change(random: Random, data: bytearray, target: Target) -> None:
    """Change one place of *data*."""
    at = random.randint(0, len(data))
    end = min(len(data), at + random.choice((1, 1, 2, 4, 16, 256)))
    way = random.randrange(7)
    if way == 0:
        data[at:end] = random.choice(target.WORDS)
    elif way == 1:
        data[at:at] = random.choice(target.WORDS)
    elif way == 2:
        data[at:end] = random.randbytes(end - at)
    elif way == 3:
        del data[at:end]
    elif way == 4:
        data[at:at] = data[at:end] * random.choice((1, 2, 20))
    elif way == 5:
        other = random.choice(target.SEEDS)
        data[at:] = other[random.randint(0, len(other)) :]
    elif at < len(data):
        data[at] = random.choice((0, 1, 127, 128, 254, 255, data[at] ^ 1 << random.randrange(8)))
