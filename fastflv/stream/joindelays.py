"""How long players wait for their first byte and their first keyframe."""

from __future__ import annotations

from fastflv.stream.clients import Client
from fastflv.stream.endreason import EndReason
from fastflv.stream.histogram import Delays, Histogram


class JoinDelays:
    """Counts the beginning of each player once: when somebody looks, or when it leaves. A watcher of clients."""

    def __init__(self, delays: Delays) -> None:
        self._delays = delays

    def client_joined(self, client: Client) -> None:
        """Nothing is sent yet."""

    def client_left(self, client: Client, reason: EndReason) -> None:
        self.look(client)

    def look(self, client: Client) -> None:
        """Count what the player was sent since the last look, if that was its first."""
        known = client.began
        if (known.first and known.key) or client.publish:
            return
        player = client.player
        assert player is not None
        now = client.began = player.beginning
        if not known.first:
            _observe(self._delays.first_byte, now.first - client.asked, now.first)
        if not known.key:
            _observe(self._delays.first_key, now.key - client.asked, now.key)


def _observe(histogram: Histogram, seconds: float, at: float) -> None:
    if at > 0:
        histogram.observe(max(0.0, 1000 * seconds))
