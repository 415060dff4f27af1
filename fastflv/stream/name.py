"""What a stream is called."""

from __future__ import annotations

from typing import NamedTuple

from fastflv.config.model.vhost import DEFAULT_VHOST


class StreamName(NamedTuple):
    """Virtual host, application and stream; the key of a stream in the hub."""

    vhost: str
    "Name of the virtual host whose settings apply."

    app: str
    "Application, may hold slashes."

    stream: str
    "Stream, without extension and query."

    @property
    def url(self) -> str:
        """`/app/stream`, with the vhost before it unless it is the default one (as SRS prints it)."""
        path = f"/{self.app}/{self.stream}"
        return path if self.vhost == DEFAULT_VHOST else f"{self.vhost}{path}"
