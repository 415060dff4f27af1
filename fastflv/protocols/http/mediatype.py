"""Content types of files by the endings of their names."""

from __future__ import annotations

from typing import Final

OTHER: Final = "text/html;charset=utf-8"
"As SRS's documentation has it for all endings that it does not name."

TYPES: Final = {
    # As SRS's documentation has them.
    "ts": "video/MP2T;charset=utf-8",
    "m3u8": "application/x-mpegURL;charset=utf-8",
    "json": "application/json;charset=utf-8",
    "css": "text/css;charset=utf-8",
    "swf": "application/x-shockwave-flash;charset=utf-8",
    "js": "text/javascript;charset=utf-8",
    "xml": "text/xml;charset=utf-8",
    "htm": OTHER,
    "html": OTHER,
    # Media.
    "flv": "video/x-flv",
    "fhv": "video/x-flv",
    "mp4": "video/mp4",
    "m4v": "video/x-m4v",
    "m4a": "audio/mp4",
    "m4s": "video/iso.segment",
    "mov": "video/quicktime",
    "mkv": "video/x-matroska",
    "webm": "video/webm",
    "3gp": "video/3gpp",
    "3gpp": "video/3gpp",
    "mpd": "application/dash+xml",
    "aac": "audio/aac",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "vtt": "text/vtt;charset=utf-8",
    # Pages.
    "mjs": "text/javascript;charset=utf-8",
    "map": "application/json;charset=utf-8",
    "wasm": "application/wasm",
    "webmanifest": "application/manifest+json",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "ttf": "font/ttf",
    "ico": "image/x-icon",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "svg": "image/svg+xml",
    "webp": "image/webp",
    "avif": "image/avif",
    "txt": "text/plain;charset=utf-8",
    "md": "text/markdown;charset=utf-8",
    "log": "text/plain;charset=utf-8",
    "csv": "text/csv;charset=utf-8",
    "rss": "application/rss+xml",
    "pdf": "application/pdf",
    "zip": "application/zip",
    "gz": "application/gzip",
    "bin": "application/octet-stream",
}
"Content types by ending, lower case."


def media_type(path: str) -> str:
    """Return the content type of the file at *path*."""
    name = path.rpartition("/")[2]
    return TYPES.get(name.rpartition(".")[2].lower() if "." in name else "", OTHER)
