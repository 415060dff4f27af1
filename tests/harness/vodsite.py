"""Requests for parts of media files, and ffmpeg as the judge of what comes."""

from __future__ import annotations

import http.client
import ssl
import subprocess
from dataclasses import dataclass

from clip import ffmpeg
from flvread import FlvReader, Tag, media, read_flv
from patience import patient
from server import HOST


@dataclass(frozen=True)
class Answer:
    """Of the server."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def flv(self) -> FlvReader:
        """The body, which must be whole tags behind an FLV header."""
        assert self.status == 200, (self.status, self.body[:200])
        assert int(self.fields["content-length"]) == len(self.body)
        return read_flv(self.body)

    @property
    def frames(self) -> list[Tag]:
        """The coded frames of the body."""
        return media(self.flv.tags)


def ask(
    port: int, path: str, method: str = "GET", context: ssl.SSLContext | None = None, **fields: str
) -> Answer:
    """Make one request; *context*: over TLS."""
    made: http.client.HTTPConnection
    if context is not None:
        made = http.client.HTTPSConnection(HOST, port, timeout=60, context=context)
    else:
        made = http.client.HTTPConnection(HOST, port, timeout=60)
    made.request(method, path, headers={name.replace("_", "-"): value for name, value in fields.items()})
    answer = made.getresponse()
    body = answer.read()
    made.close()
    return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)


def complaint(body: bytes, form: str) -> str:
    """Decode every frame of *body*, a file of the format *form*; return what ffmpeg says, empty when it is content."""
    words = [ffmpeg(), "-v", "error", "-threads", "1", "-f", form, "-i", "pipe:0"]
    words += ["-map", "0:v?", "-map", "0:a?", "-f", "null", "-"]
    done = subprocess.run(words, input=body, capture_output=True, timeout=patient(120))
    text = done.stderr.decode(errors="replace")
    return text or ("" if done.returncode == 0 else f"ffmpeg ends with {done.returncode}")
