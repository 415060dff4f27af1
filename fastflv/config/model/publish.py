"""`publish { }`: publishers."""

from __future__ import annotations

from dataclasses import dataclass

from fastflv import limits
from fastflv.config.grammar.section import bounded


@dataclass(frozen=True, slots=True)
class Publish:
    """`publish { }`: publishers."""

    mr: bool = False
    "Merged reading. Taken for SRS's sake; fastflv always reads what is there. Default off."

    mr_latency: int = bounded(350, 0)
    "Milliseconds for `mr`. Default 350."

    firstpkt_timeout: int = bounded(20_000, 1)
    "Time from publish to the first audio or video, milliseconds. Default 20000."

    normal_timeout: int = bounded(5000, 1)
    "Silence after which a publisher is disconnected, milliseconds. Default 5000."

    parse_sps: bool = True
    "The API shows profile, level and size from the sequence header. Default on."

    try_annexb_first: bool = True
    "No effect: which of start codes and lengths NAL units have is found out. Default on."

    kickoff_for_idle: float = bounded(0.0, 0.0)
    "Disconnect a publisher that nobody plays for this long, seconds. Default 0, off."

    takeover: bool = False
    "fastflv: a publisher of a name that has one takes its place, and the one before is closed. Default off: refused."

    failover: int = bounded(limits.FAILOVER_MS, limits.FAILOVER_MS_MIN)
    "fastflv: silence of a publisher after which the one on standby is played, milliseconds. Default 1000."

    failback: bool = False
    "fastflv: the primary publisher is played again once it has been back for some seconds. Default off."

    backup_suffix: str = ""
    "fastflv: names that end so publish the stream without that end, as backup. Default none."

    grace: float = bounded(limits.PUBLISH_GRACE_SECONDS, 0.0, 3600.0)
    "fastflv: how long players stay after the publisher left, for its return, seconds. Default 5."
