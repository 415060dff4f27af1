"""Finds targets by their names."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from typing import Protocol, cast

from fuzzing import targets


class Target(Protocol):
    """A module of `fuzzing/targets`."""

    SEEDS: Sequence[bytes]
    WORDS: Sequence[bytes]

    def check(self, data: bytes) -> object:
        """Raise for a finding."""


NAMES = tuple(sorted(module.name for module in pkgutil.iter_modules(targets.__path__)))


def load(name: str) -> Target:
    """Import the target *name*, one of NAMES."""
    return cast(Target, importlib.import_module(f"fuzzing.targets.{name}"))
