"""Settings of recordings."""

from __future__ import annotations

from dataclasses import dataclass

from fastflv.config.template import PathTemplate, time_values
from fastflv.stream.name import StreamName

ENDINGS = (".flv", ".mp4")
"Endings of `dvr_path`; any other path is a directory."

FILE_NAME = "[stream].[timestamp].flv"
"Name of a file where `dvr_path` is a directory, as in SRS."


def path_template(text: str, vhost: str) -> PathTemplate:
    """Read `dvr_path`."""
    if not text.endswith(ENDINGS):
        text = f"{text.rstrip('/')}/{FILE_NAME}"
    return PathTemplate.parse(text, vhost)


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """How a stream is recorded."""

    template: PathTemplate
    "Of the files; its ending picks the container."

    utc: bool = False
    "Variables of time are in UTC."

    most_ms: int = 0
    "A file ends at the first keyframe after this, ms; 0: with the stream."

    wait_key: bool = True
    "Files begin at keyframes."

    keep_times: bool = False
    "Files have the times of the stream; else each begins near 0."

    apply: tuple[str, ...] = ("all",)
    "`all`, or the streams that are recorded from their publish on, as app/stream."

    @property
    def mp4(self) -> bool:
        return self.template.text.endswith(".mp4")

    def applies(self, name: StreamName) -> bool:
        """Whether a stream is recorded from its publish on."""
        return "all" in self.apply or f"{name.app}/{name.stream}" in self.apply

    def path(self, name: StreamName, begun: float) -> str:
        """Return the path of a file that begins at *begun*, seconds since 1970."""
        return self.template.fill(
            app=name.app,
            stream=name.stream,
            # Variables of HLS alone stay as they are written.
            seq="[seq]",
            duration="[duration]",
            **time_values(begun, utc=self.utc),
        )


def path_fault(name: StreamName) -> str:
    """Return why a stream cannot name a file, as the end of a sentence; empty when it can."""
    parts = [*name.app.split("/"), name.stream]
    if any(part in ("", ".", "..") or "\0" in part or "/" in part for part in parts):
        return "its name is no path of a file"
    return ""
