"""HLS: playlists and segments of live streams, from memory or from disk."""
