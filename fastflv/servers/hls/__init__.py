"""HLS: playlists and segments of live streams, from memory or from disk."""

from fastflv.servers.hls.names import HlsNames
from fastflv.servers.hls.options import HlsOptions
from fastflv.servers.hls.server import HlsServer

__all__ = ["HlsNames", "HlsOptions", "HlsServer"]
