"""HLS: playlists and segments of live streams, from memory or from disk."""

from fastflv.delivery.hls.options import HlsOptions, OnError
from fastflv.delivery.hls.route import Route
from fastflv.delivery.hls.server import NOT_MINE, HlsServer, NotMine

__all__ = ["NOT_MINE", "HlsOptions", "HlsServer", "NotMine", "OnError", "Route"]
