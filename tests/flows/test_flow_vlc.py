"""Recordings and clips in a real VLC: it plays them, knows how long they are, and seeks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from clip import Clip
from seeksite import SECONDS, SeekSite, seek_site
from server import Server, until
from vlc import Vlc, find_vlc

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]


@pytest.fixture(scope="module")
def site(
    serve: Callable[..., Server], film: Clip, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SeekSite]:
    find_vlc()
    with seek_site(serve, film, tmp_path_factory.mktemp("www")) as found:
        yield found


@pytest.mark.parametrize("name", ["recording.flv", "recording.mp4", "clip.flv", "clip.mp4"])
def test_vlc_plays_and_seeks(name: str, site: SeekSite) -> None:
    kind = name.partition(".")[2]
    with Vlc(clip_url(site, kind) if name.startswith("clip") else getattr(site, kind)) as vlc:
        until(lambda: vlc.time >= 1, "VLC plays", 30)
        assert abs(vlc.length - SECONDS) <= 1
        shown = vlc.count("frames displayed")
        assert shown > 5
        until(lambda: vlc.seek(6), "VLC plays where it was sent", 20)
        assert vlc.count("frames displayed") > shown + 5
        assert vlc.count("buffers played") > 20
        assert vlc.count("demux corrupted") == 0
        until(lambda: vlc.ask("is_playing", "([01])") == "0", "the end", 30)


def test_vlc_plays_a_clip_in_ts(site: SeekSite) -> None:
    """Whether VLC knows how long a TS is and seeks in it depends on what it reads ahead."""
    with Vlc(clip_url(site, "ts")) as vlc:
        until(lambda: vlc.count("frames displayed") > 60, "three seconds", 30)
        assert vlc.count("demux corrupted") == vlc.count("discontinuities") == 0
        until(lambda: vlc.ask("is_playing", "([01])") == "0", "the end", 30)


def clip_url(site: SeekSite, kind: str) -> str:
    return f"{site.clip}.{kind}?from=-{SECONDS}&to=-1"


def test_vlc_plays_the_past_of_a_live_stream(site: SeekSite) -> None:
    with Vlc(site.playlist) as vlc:
        until(lambda: vlc.count("frames displayed") > 60, "three seconds", 60)
        assert vlc.count("demux corrupted") == 0
