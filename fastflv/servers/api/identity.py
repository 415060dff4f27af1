"""How a process names itself in every answer of its API."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from fastflv.protocols.http.message import Response


@dataclass(frozen=True, slots=True)
class Identity:
    """The names of one process."""

    server: str
    "Of the installation: `server_id`, or made once and kept beside the pid file."

    service: str
    "Of this process, new with each start."

    def reply(self, fields: Mapping[str, object]) -> Response:
        """Return the answer with *fields*, which may say another `code` than 0."""
        envelope = {"code": 0, "server": self.server, "service": self.service, "pid": str(os.getpid())}
        return Response.of_json(envelope | dict(fields))
