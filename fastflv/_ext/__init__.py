"""The compiled core: chunks, tags, the media log and the threads that send it.

All its modules are in one shared object, which has an initialiser for each; setup.py says why.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType


class CompiledModules:
    """Finds the modules of the packages in here."""

    def __init__(self, path: str) -> None:
        """*path*: of the shared object."""
        self._path = path
        self._depth = __name__.count(".") + 2

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where the module *name* is; None for what is not compiled."""
        if not name.startswith(f"{__name__}.") or name.count(".") != self._depth:
            return None
        return spec_from_file_location(name, self._path, loader=ExtensionFileLoader(name, self._path))


def _find_compiled() -> str:
    """Return the path of the shared object. Raises ImportError."""
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"compiled{suffix}")
        if path.exists():
            return str(path)
    raise ImportError(
        "fastflv is not compiled here: run `make build` in the checkout, or `pip install .` and start it elsewhere"
    )


sys.meta_path.insert(0, CompiledModules(_find_compiled()))
