"""What a test of the writer sends first, and what of the log or of the headers it looks at."""

from __future__ import annotations

from model.flv import AAC_HEADER, AVC_HEADER, Feed, Tag, inter, key, log_tags, read_tags, sound

GAP = 100
MONO = b"\xaf\x00\x11\x88"


def start(feed: Feed, time: int = 0) -> None:
    """Headers of both tracks and a GOP of two frames."""
    feed.audio(time, AAC_HEADER)
    feed.video(time, AVC_HEADER)
    feed.video(time, key(b"1"))
    feed.audio(time, sound(b"1"))
    feed.video(time + 40, inter(b"2"))


def after(feed: Feed, mark: bytes) -> list[Tag]:
    """Tags in the log behind the one with *mark*."""
    tags = log_tags(feed.writer.log)
    return tags[next(i for i, tag in enumerate(tags) if tag.mark == mark) + 1 :]


def headers_at_key(feed: Feed) -> list[Tag]:
    return read_tags(feed.writer.log.key_headers)
