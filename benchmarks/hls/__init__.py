"""HLS viewers of one live stream: playlists and segments a CPU second, beside other servers and nginx."""
