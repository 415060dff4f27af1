"""The command object of `connect`, as a client sends it.

Spec: RTMP 1.0, 7.2.1.1; Enhanced RTMP v2, "Enhancing NetConnection connect Command".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from fastflv import __version__
from fastflv.media.amf.values import Value

RELAY: Final = "fastflvRelay"
"Field of a client that is a server, and plays for others."

RESUMES: Final = "fastflvResumes"
"Field of an edge: whether it has the stream already. Off, it may come so later."

VIA: Final = "fastflvVia"
"Name of the marks in the command object, which are apart by blanks."


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectArguments:
    """The command object of `connect`."""

    tc_url: str
    "rtmp://HOST:PORT/APP, with a query where the server wants one."

    app: str
    "Application name."

    flash_ver: str = f"FMLE/3.0 (compatible; fastflv/{__version__})"
    "Name of the client; some servers ask for one that begins with FMLE."

    page_url: str = ""
    "Sent unless empty."

    four_ccs: tuple[str, ...] = ()
    "`fourCcList`: codecs of an enhanced client; empty for a plain one."

    caps_ex: int = 0
    "`capsEx` bits as in ConnectWanted; sent unless 0."

    relay: bool = False
    "Say that what is played goes on to players: fastflv sends frames at their own times then."

    resumes: bool | None = None
    """Say that players have the stream until now, from elsewhere: fastflv begins with what came before the newest keyframe. Off: an
    edge may come so later, and fastflv keeps that from now on. Sent unless None."""

    server: Mapping[str, str | float] = field(default_factory=dict)
    "What SRS's edges tell about themselves (`srs_server`, `srs_id`, ...), in an object of its own; empty: nothing."

    via: tuple[str, ...] = ()
    "Marks of the servers that the stream has passed, this one last; other software ignores them. Sent unless empty."

    def object(self) -> dict[str, Value]:
        """The object as AMF values."""
        told: dict[str, Value] = {
            "app": self.app,
            "type": "nonprivate",
            "flashVer": self.flash_ver,
            "tcUrl": self.tc_url,
        }
        if self.page_url:
            told["pageUrl"] = self.page_url
        if self.four_ccs:
            told["fourCcList"] = list(self.four_ccs)
        if self.via:
            told[VIA] = " ".join(self.via)
        if self.caps_ex:
            told["capsEx"] = float(self.caps_ex)
        if self.relay:
            told[RELAY] = True
        if self.resumes is not None:
            told[RESUMES] = self.resumes
        return told
