"""The film that a publisher sends, and the place of each frame in it: viewers find out what they lost or had twice."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from clip import Clip, Form, make
from flvread import AUDIO, VIDEO, media

RATE: Final = 20
"Pictures a second."
GOP_SECONDS: Final = 1.0
FORM: Final = Form(
    "cluster",
    f"libx264 -preset ultrafast -pix_fmt yuv420p -bf 2 -g {RATE} -keyint_min {RATE} -sc_threshold 0 -maxrate 200k -bufsize 200k",
    "aac -ar 22050 -ac 1 -b:a 32k",
    seconds=60,
    sound="anoisesrc=sample_rate=22050",
)
TAIL: Final = 120
"Bytes of a frame that tell it from all others: containers change its beginning, and not its end."
START = b"\0\0\0\1"


class Film:
    """Frames of one kind in their order; the film begins anew behind its end."""

    def __init__(self, folder: Path) -> None:
        clip = make(FORM, folder)
        assert clip is not None, "this ffmpeg has no libx264 or no aac"
        self.clip: Clip = clip
        self.bodies = {kind: [tag.body for tag in media(clip.flv.tags, kind)] for kind in (AUDIO, VIDEO)}
        self.pictures = [annex_b(body[5:]) for body in self.bodies[VIDEO]]
        "As TS has them, without delimiter and parameter sets."
        self.steps = [
            later.time - tag.time
            for tag, later in zip(media(clip.flv.tags, VIDEO), media(clip.flv.tags, VIDEO)[1:], strict=False)
        ]
        "From each picture to the next, ms."
        self._places = {
            kind: {body[-TAIL:]: place for place, body in enumerate(bodies)}
            for kind, bodies in self.bodies.items()
        }
        for kind, places in self._places.items():
            assert len(places) == len(self.bodies[kind]), "frames of the film that end alike"

    def place(self, kind: int, body: bytes) -> int:
        """Return the number of a frame of an FLV tag, which must be whole."""
        place = self._places[kind][body[-TAIL:]]
        assert body == self.bodies[kind][place], f"frame {place} of kind {kind} is not as it was published"
        return place

    def picture(self, data: bytes) -> int:
        """Return the number of a picture of a PES."""
        place = self._places[VIDEO][data[-TAIL:]]
        assert data.endswith(self.pictures[place]), f"picture {place} is not as it was published"
        return place

    def count(self, kind: int) -> int:
        return len(self.bodies[kind])


def annex_b(data: bytes) -> bytes:
    """Return units behind lengths of 4 bytes as units behind start codes."""
    out, at = b"", 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        out += START + data[at + 4 : at + 4 + size]
        at += 4 + size
    return out


def gaps(places: Sequence[int], count: int) -> tuple[int, int]:
    """Return how many frames of a film of *count* are missing within *places*, and how many came again."""
    lost = again = 0
    for place, following in itertools.pairwise(places):
        step = (following - place) % count
        if 1 <= step < count // 2:
            lost += step - 1
        else:
            # It goes back: all between are had twice.
            again += (place - following) % count + 1
    return lost, again
