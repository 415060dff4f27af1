"""`http_static { }`: files of a vhost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HTML_DIR: Final = "./objs/nginx/html"
"Default root directory of files, as in SRS."


@dataclass(frozen=True, slots=True)
class HttpStatic:
    """`http_static { }`: files of a vhost."""

    enabled: bool = False
    "Default off."

    mount: str = "[vhost]/"
    "URL prefix; `[vhost]` stands for the vhost's name."

    dir: str = HTML_DIR
    "Directory of the files. Default ./objs/nginx/html."
