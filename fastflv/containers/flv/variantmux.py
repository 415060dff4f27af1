"""The FLV log of a variant."""

from __future__ import annotations

from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.mux.flvmux import FlvMux
from fastflv.containers.flv.metadata import edit_metadata
from fastflv.containers.variant import Variant


def flv_mux(source: MediaLog, log: MediaLog, variant: Variant) -> FlvMux:
    """Return the muxer that writes the FLV tags of *variant* from *source* to *log*."""
    return FlvMux(
        source,
        log,
        audio=variant.audio,
        video=variant.video,
        keys_only=variant.keys_only,
        label=variant.hevc.value,
        edit=lambda body: edit_metadata(body, variant),
    )
