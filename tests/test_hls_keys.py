"""Encrypted HLS: keys that come and go with their segments, and who gets them."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from model import m3u8, mp4, ts
from model.hls import Camera, Site, looped, running
from model.loop import until

from fastflv.config.load import load_text
from fastflv.containers.playlist import QUERY, Playlist, PlaylistEntry, read_playlist
from fastflv.containers.segmentcipher import encrypt
from fastflv.errors import ConfigValueError
from fastflv.stream.endreason import EndReason

pytestmark = pytest.mark.usefixtures("quick")

KEYS = "hls_keys on; hls_fragments_per_key 3; hls_window 60;"


def decrypt(body: bytes, key: bytes, iv: bytes) -> bytes:
    cipher = Cipher(algorithms.AES128(key), modes.CBC(iv)).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    return unpadder.update(cipher.update(body) + cipher.finalize()) + unpadder.finalize()


async def clear(site: Site, segment: m3u8.Segment) -> bytes:
    """A segment as a player decrypts it."""
    return decrypt(await site.fetch(segment.uri), await site.fetch(segment.key_uri), segment.iv)


def files(folder: Path, ending: str = "") -> set[str]:
    found = [Path(where, name) for where, _, names in os.walk(folder) for name in names]
    return {path.relative_to(folder).as_posix() for path in found if path.name.endswith(ending)}


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 188 * 100, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_what_is_encrypted_is_decrypted(size):
    body, key, iv = os.urandom(size), os.urandom(16), os.urandom(16)
    sealed = encrypt(body, key, iv)
    assert len(sealed) % 16 == 0 and size < len(sealed) <= size + 16
    assert decrypt(sealed, key, iv) == body


ENTRIES = st.lists(
    st.tuples(st.sampled_from(["", "a.key", "b.key"]), st.sampled_from(["", "i.mp4", "j.mp4"]))
)


@given(ENTRIES)
def test_a_key_stands_before_its_segments_and_before_no_map(rows):
    playlist = Playlist(10**9, 2)
    for number, (key, map_uri) in enumerate(rows):
        iv = f"{number:032x}" if key else ""
        playlist.append(PlaylistEntry(f"{number}.m4s", 2000, map_uri=map_uri, key_uri=key, iv=iv))
    text = playlist.text().replace(QUERY, "?a")
    for segment, (key, map_uri) in zip(m3u8.read_media(text).segments, rows, strict=True):
        assert segment.key_uri == (f"{key}?a" if key else "")
        assert int.from_bytes(segment.iv, "big") == (segment.number if key else 0)
        assert not map_uri or segment.map_uri == f"{map_uri}?a"
    plain = playlist.text().replace(QUERY, "")
    again = read_playlist(plain, 10**9)
    assert again is not None and again.text().replace(QUERY, "") == plain


@pytest.mark.parametrize("where", ["memory", "disk"])
@pytest.mark.parametrize("container", ["ts", "mp4"])
@looped
async def test_segments_are_encrypted_and_keys_change(container, where, tmp_path):
    more = f"hls_path {tmp_path}; " * (where == "disk") + "hls_use_fmp4 on;" * (container == "mp4")
    async with running(f"{more} {KEYS}") as site:
        async with Camera(site).rolling():
            url = await site.join()
            media = await site.segments(url, 8)
        reader = ts.Reader()
        for segment in media.segments:
            body = await clear(site, segment)
            if container == "ts":
                assert body[0] == 0x47
                reader.read(body)
            else:
                assert mp4.read_boxes(await site.fetch(segment.map_uri))
                assert [box.name for box in mp4.read_boxes(body)] == [b"moof", b"mdat"]
        assert len({segment.iv for segment in media.segments}) == len(media.segments)
        used = [segment.key_uri for segment in media.segments]
        for before, after in zip(media.segments, media.segments[1:], strict=False):
            assert (before.key_uri != after.key_uri) == (after.number % 3 == 0)
        keys = {uri: await site.get("/live/" + uri) for uri in used}
        assert len({answer.body for answer in keys.values()}) == len(keys)
        assert {len(answer.body) for answer in keys.values()} == {16}
        assert {answer.fields["cache-control"] for answer in keys.values()} == {"no-store"}
        assert files(tmp_path, ".key") == (
            {f"live/{uri.partition('?')[0]}" for uri in keys} if where == "disk" else set()
        )


@looped
async def test_keys_are_given_to_admitted_viewers_alone():
    async with running(KEYS) as site:
        async with Camera(site).rolling():
            url = await site.join()
            media = await site.segments(url, 3)
        key = "/live/" + media.segments[0].key_uri
        bare = key.partition("?")[0]
        assert (await site.get(bare)).status == 200
        assert (await site.get(bare, "Content-Length: 0", method="POST")).status == 405
        assert (await site.get("/live/cam-999.key")).status == 404
        assert (await site.get("/live/other-0.key")).status == 404
        (client,) = site.server.clients
        client.link.drop(EndReason.KICKED)
        assert (await site.get(key)).status == 404
    refuse = "} security { enabled on; deny play 127.0.0.1; } refer { } hls { hls_dispose 0;"
    async with running(f"{KEYS} hls_ctx off;") as site:
        async with Camera(site).rolling():
            media = await site.segments("/live/cam.m3u8", 3)
        assert (await site.get("/live/" + media.segments[0].key_uri)).status == 200
        site.reload(f"{KEYS} hls_ctx off; {refuse}")
        assert (await site.get("/live/cam.m3u8")).status == 403
        assert (await site.get("/live/" + media.segments[0].key_uri)).status == 403


@looped
async def test_a_key_is_deleted_with_the_last_segment_that_needs_it(tmp_path):
    async with running(
        f"hls_path {tmp_path}; hls_fragment 1; hls_window 1; hls_ctx off; hls_keys on; hls_fragments_per_key 2;"
    ) as site:
        camera = Camera(site)
        camera.run(1)
        await until(lambda: site.muxer.is_reading)
        for _ in range(10):
            await site.step(camera)
        await until(lambda: "live/cam-1.ts" not in files(tmp_path))
        assert "live/cam-0.key" not in files(tmp_path)
        media = await site.media("/live/cam.m3u8")
        for segment in media.segments:
            assert await clear(site, segment)
        # The next presentation does not use a key of the one before.
        old = files(tmp_path, ".key")
        camera.end()
        await until(lambda: site.muxer.ended)
        async with Camera(site).rolling():
            await until(lambda: site.muxer.text and not site.muxer.ended)
            media = await site.media("/live/cam.m3u8")
        assert f"live/{media.segments[0].key_uri}" not in old
        assert await clear(site, media.segments[0])


@looped
async def test_after_a_restart_old_segments_have_their_keys(tmp_path):
    hls = f"hls_path {tmp_path}; hls_ctx off; {KEYS}"
    async with running(hls) as site, Camera(site).rolling():
        before = await site.segments("/live/cam.m3u8", 4)
    async with running(hls) as site:
        async with Camera(site).rolling():
            after = await site.segments("/live/cam.m3u8", len(before.segments) + 3)
        m3u8.check_step(before, after)
        for segment in after.segments:
            assert (await clear(site, segment))[0] == 0x47
        assert after.segments[-1].key_uri not in {segment.key_uri for segment in before.segments}


@looped
async def test_keys_for_another_server_are_written_and_not_served(tmp_path):
    folder, url = tmp_path / "keys", "https://keys.example"
    hls = f"{KEYS} hls_ctx off; hls_key_file_path {folder}; hls_key_url {url}; hls_key_file [stream]/k-[seq].bin;"
    async with running(f"hls_path {tmp_path}/www; hls_dispose 1; {hls}") as site:
        camera = Camera(site)
        async with camera.rolling():
            media = await site.segments("/live/cam.m3u8", 4)
        for segment in media.segments:
            path = segment.key_uri.removeprefix(f"{url}/")
            assert (await site.get(f"/{path}")).status == 404
            body = await site.fetch(segment.uri)
            assert decrypt(body, (folder / path).read_bytes(), segment.iv)[0] == 0x47
        assert files(tmp_path / "www") >= {"live/cam.m3u8"} and not files(tmp_path / "www", ".bin")
        camera.end()
        await until(lambda: not files(tmp_path))
    # Segments in memory, keys on disk.
    async with running(hls) as site:
        async with Camera(site).rolling():
            media = await site.segments("/live/cam.m3u8", 4)
        assert files(tmp_path, ".bin") == {
            f"keys/{s.key_uri.removeprefix(f'{url}/')}" for s in media.segments
        }


@looped
async def test_encryption_switched_on_by_a_reload_begins_with_the_next_publish(tmp_path):
    hls = f"hls_path {tmp_path}; hls_ctx off;"
    async with running(hls) as site:
        camera = Camera(site)
        async with camera.rolling():
            await site.segments("/live/cam.m3u8", 1)
        assert site.reload(f"{hls} {KEYS}") == ["hls_keys"]
        camera.end()
        async with Camera(site).rolling():
            await until(lambda: "EXT-X-KEY" in site.muxer.text)
            media = await site.media("/live/cam.m3u8")
        assert (await clear(site, media.segments[-1]))[0] == 0x47


CONF = "listen 1935; vhost a {{ hls {{ enabled {}; hls_keys on; {} }} {} }}"


@pytest.mark.parametrize(
    ("hls", "more", "complaint"),
    [
        ("hls_key_file_path /keys;", "", "hls_key_url"),
        ("hls_key_file [app]/[stream]-[seq].ts;", "", "both take"),
        ("hls_key_file [app]/[stream].flv;", "http_remux { enabled on; }", None),
        ("hls_key_file_path /keys; hls_key_url https://k/;", "", None),
        ("hls_path /www; hls_key_file_path /www/;", "", None),
    ],
)
def test_keys_that_could_not_be_found_are_refused(hls, more, complaint):
    text = CONF.format("on", hls, more)
    if complaint is None:
        load_text(text)
    else:
        with pytest.raises(ConfigValueError, match=complaint):
            load_text(text)


def test_the_package_that_encrypts_is_asked_for_at_the_check(monkeypatch):
    monkeypatch.setattr(
        "fastflv.config.check.find_spec",
        lambda name: None if name == "cryptography" else importlib.util.find_spec(name),
    )
    with pytest.raises(ConfigValueError, match=r"fastflv\[keys\]"):
        load_text(CONF.format("on", "", ""))
    load_text(CONF.format("off", "", ""))
