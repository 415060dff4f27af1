"""What a configuration cannot have where several workers serve it."""

from __future__ import annotations

from fastflv.config.grammar.problems import Problems
from fastflv.config.model.cluster import ClusterMode
from fastflv.config.model.server import Settings
from fastflv.errors import ConfigValueError


def check_workers(settings: Settings, problems: Problems) -> None:
    """Add a problem for what each worker that fetches a stream from an origin would do once more.

    A stream that is published here has one worker that records it and writes its files.
    """
    for vhost in settings.vhosts.values():
        if not vhost.enabled or vhost.cluster.mode is not ClusterMode.REMOTE:
            continue
        asked = {
            ("dvr", "enabled"): vhost.dvr.enabled,
            ("hls", "hls_path"): vhost.hls.enabled and vhost.hls.on_disk,
        }
        for (block, name), on in asked.items():
            if not on:
                continue
            text, hint = "is for one process on an edge", "run without --workers, or let the origin do it"
            at = vhost.source.sub(block).value(name) if vhost.source is not None else None
            problems.add(
                at.error(text, hint)
                if at is not None
                else ConfigValueError(f"vhost {vhost.name}: {block} {text}", hint=hint)
            )
