"""The pages as npm has built them: which files there are, and in which encodings.

`console/` at the top of the sources is the npm project. Its build writes them below `fastflv/console`, where the paths of files are
those of URLs. A file in `static/` has a hash of its content in its name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import fastflv
from fastflv.config.routes import PAGE_FILES
from fastflv.protocols.http.validators import Validators

FOLDER: Final = Path(fastflv.__file__).parent / "console"
ENCODINGS: Final = {"br": ".br", "gzip": ".gz"}
"Made by the build, the smaller one first: name in HTTP, and what stands behind the name of the file."

INDEX: Final = "index.html"


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """One file, in all its encodings."""

    path: str
    "In the file system."

    hashed: bool
    "Its name has a hash of its content, so it never changes."

    validators: Mapping[str, Validators]
    "By encoding; empty for the file as it is."


def find_built(folder: Path = FOLDER) -> dict[str, BuiltFile]:
    """Return the files below *folder* by the path of their URL; none where nothing was built. A page stands at its directory."""
    found = {}
    for directory, _, names in os.walk(folder):
        for name in names:
            if name.endswith(tuple(ENCODINGS.values())):
                continue
            path = os.path.join(directory, name)
            url = "/" + Path(path).relative_to(folder).as_posix()
            endings = {"": "", **{key: end for key, end in ENCODINGS.items() if name + end in names}}
            validators = {key: _validators(path + end) for key, end in endings.items()}
            found[url.removesuffix(INDEX)] = BuiltFile(path, url.startswith(PAGE_FILES), validators)
    return found


def _validators(path: str) -> Validators:
    status = os.stat(path)
    return Validators.of_file(status.st_size, status.st_mtime_ns, status.st_ino)
