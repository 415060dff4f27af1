"""How a server names itself in every answer of its API, and how that name outlives a restart."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
from pathlib import Path
from typing import Final

from fastflv.net.clientid import new_id

log = logging.getLogger(__name__)

SERVER_ID: Final = re.compile(r"[0-9a-zA-Z_-]{1,64}")


def _not_followed(path: str, flags: int) -> int:
    """Open a file, and no link that somebody has put in its place."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o644)


def server_id(configured: str, pid_file: str) -> str:
    """Return the id of the installation.

    Without a *configured* one it is read from `<pid_file>.id`, which is written at the first start. *pid_file*
    empty: nothing is kept, and each start makes another.
    """
    if configured:
        return configured
    made = f"vid-{new_id(7)}"
    if not pid_file:
        return made
    path = Path(f"{pid_file}.id")
    with contextlib.suppress(OSError, UnicodeDecodeError):
        with open(path, encoding="ascii", opener=_not_followed) as file:
            kept = file.read(100).strip()
        if SERVER_ID.fullmatch(kept):
            return kept
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", encoding="ascii", opener=_not_followed) as file:
            file.write(f"{made}\n")
    except OSError as error:
        why = "it is a symbolic link, which is not followed" if error.errno == errno.ELOOP else error.strerror
        log.warning("the server id cannot be kept in %s: %s; set server_id", path, why)
    return made
