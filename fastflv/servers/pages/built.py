"""The pages as npm has built them: which files there are, in which encodings, and their bytes.

`console/` at the top of the sources is the npm project. Its build writes them below `fastflv/console`, where the paths of files are
those of URLs. A file in `pages/` has a hash of its content in its name.

A server reads them once, when it starts: pages that are installed while it runs are those of another version, and have other names.
"""

from __future__ import annotations

import os
import zlib
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

GZIP: Final = zlib.MAX_WBITS | 16
"Window of zlib for data with a header of gzip. The module gzip would be loaded for little else."


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """One file, in all its encodings."""

    name: str

    hashed: bool
    "Its name has a hash of its content, so it never changes."

    validators: Mapping[str, Validators]
    "By encoding; empty for the file as it is."

    bodies: Mapping[str, bytes]
    "By encoding. A file that is kept in `gzip` is not kept as it is: few clients ask for that, and it is two thirds of all bytes."

    def body(self, encoding: str) -> bytes:
        """Return the bytes in one of the encodings, or as it is."""
        found = self.bodies.get(encoding)
        return zlib.decompress(self.bodies["gzip"], GZIP) if found is None else found


def find_built(folder: Path = FOLDER) -> dict[str, BuiltFile]:
    """Return the files below *folder* by the path of their URL; none where nothing was built. A page stands at its directory."""
    found = {}
    for directory, _, names in os.walk(folder):
        for name in names:
            if name.endswith(tuple(ENCODINGS.values())):
                continue
            path = Path(directory, name)
            url = "/" + path.relative_to(folder).as_posix()
            files = {
                "": path,
                **{key: Path(f"{path}{end}") for key, end in ENCODINGS.items() if name + end in names},
            }
            validators = {key: _validators(each) for key, each in files.items()}
            bodies = {key: each.read_bytes() for key, each in files.items() if key or "gzip" not in files}
            found[url.removesuffix(INDEX)] = BuiltFile(name, url.startswith(PAGE_FILES), validators, bodies)
    return found


def _validators(path: Path) -> Validators:
    status = path.stat()
    return Validators.of_file(status.st_size, status.st_mtime_ns, status.st_ino)
