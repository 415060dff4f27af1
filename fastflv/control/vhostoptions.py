"""The options of vhosts and of their streams, as the configuration in force has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fastflv.record.options import RecordOptions
from fastflv.servers.hls.names import HlsNames
from fastflv.servers.hls.options import HlsOptions
from fastflv.servers.recordings.request import RecordSite
from fastflv.servers.rtmp.options import RtmpOptions
from fastflv.stream.name import StreamName

if TYPE_CHECKING:
    from fastflv.control.runtime import Runtime


class VhostOptions:
    """What the rooms of a server ask by the host of a request, or by a stream; None where there is none.

    *runtime* returns the configuration in force. *is_own*: off for streams that another worker publishes.
    """

    def __init__(self, runtime: Callable[[], Runtime], is_own: Callable[[StreamName], bool]) -> None:
        self._runtime = runtime
        self._is_own = is_own

    def vhost_name(self, host: str) -> str | None:
        found = self._runtime().vhost(host)
        return found.vhost.name if found is not None else None

    def rtmp(self, host: str) -> RtmpOptions | None:
        found = self._runtime().vhost(host)
        return found.rtmp if found is not None else None

    def hls(self, host: str) -> HlsOptions | None:
        found = self._runtime().vhost(host)
        return found.hls if found is not None else None

    def record_site(self, host: str) -> RecordSite | None:
        found = self._runtime().vhost(host)
        return found.record_site if found is not None else None

    def record(self, name: StreamName) -> RecordOptions | None:
        """Return how a stream is recorded; None where another worker does it, too."""
        found = self._runtime().vhosts.get(name.vhost)
        return found.record if found is not None and found.vhost.enabled and self._is_own(name) else None


def former_names(old: Runtime, new: Runtime) -> dict[str, HlsNames]:
    """Return the path templates of HLS that a reload changes, as they were before, by vhost."""
    before = {name: vhost.hls.names for name, vhost in old.vhosts.items() if vhost.hls is not None}
    return {
        name: before[name]
        for name, vhost in new.vhosts.items()
        if vhost.hls is not None and before.get(name, vhost.hls.names) != vhost.hls.names
    }
