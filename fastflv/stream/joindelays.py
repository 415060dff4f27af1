"""How long players wait for their first byte and their first keyframe."""

from __future__ import annotations

from fastflv.stream.clients import Client
from fastflv.stream.endreason import EndReason
from fastflv.stream.histogram import Delays


class JoinDelays:
    """Counts the beginning of each player once: when somebody looks, or when it leaves."""

    def __init__(self, delays: Delays) -> None:
        self._delays = delays

    def client_left(self, client: Client, reason: EndReason) -> None:
        self.look(client)

    def look(self, client: Client) -> None:
        """Count what the player was sent since the last look, if that was its first."""
        before_first, before_key = client.began
        if before_first and before_key:
            return
        player = client.player
        if player is None:
            return
        first, key = client.began = player.beginning
        if first > 0 and not before_first:
            self._delays.first_byte.observe(max(0.0, 1000 * (first - client.asked)))
        if key > 0 and not before_key:
            self._delays.first_key.observe(max(0.0, 1000 * (key - client.asked)))
