"""The files that this process runs: whether they are still those that it was started with."""

from __future__ import annotations

import sys
from typing import Final

import fastflv
from fastflv.config.grammar.filestamp import stamp_of
from fastflv.errors import StartupError

_STAMP: Final = stamp_of(fastflv.__file__)


def check_own_files(what: str) -> None:
    """Raise StartupError where another version was installed since the start: its modules do not fit those that run.

    *what*: the directives that need code which is not loaded yet.
    """
    if stamp_of(fastflv.__file__) != _STAMP:
        raise StartupError(
            f"{what} needs code that this process has not loaded, and the installed fastflv is another one by now: "
            "run fastflv upgrade, or restart the server"
        )


def check_own_module(name: str, what: str) -> None:
    """As `check_own_files`, where the module *name* is about to be imported: one that is loaded stays as it is."""
    if name not in sys.modules:
        check_own_files(what)
