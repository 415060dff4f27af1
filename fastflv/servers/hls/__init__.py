"""HLS: playlists and segments of live streams, from memory or from disk."""

from fastflv.servers.hls.names import Route
from fastflv.servers.hls.options import HlsOptions, OnError
from fastflv.servers.hls.server import NOT_MINE, HlsServer, NotMine

__all__ = ["NOT_MINE", "HlsOptions", "HlsServer", "NotMine", "OnError", "Route"]
