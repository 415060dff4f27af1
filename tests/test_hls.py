"""HLS from memory: what viewers get, how they are counted, and what a configuration chooses."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from model import m3u8, mp4, ts
from model.flv import Feed
from model.hls import NAME, OPTIONS, Camera, looped, running
from model.loop import until

from fastflv import limits
from fastflv.config.load import load_text
from fastflv.control.runtime import hls_options
from fastflv.servers.hls.sessions import HlsSessions
from fastflv.stream.clients import Client
from fastflv.stream.endreason import EndReason

pytestmark = pytest.mark.usefixtures("quick")


# --- viewers --------------------------------------------------------------------------------------


@looped
async def test_a_viewer_gets_a_master_playlist_a_playlist_and_segments():
    async with running() as site:
        camera = Camera(site)
        camera.run(5)
        first = await site.get("/live/cam.m3u8?token=a%22b", "Origin: https://page.example")
        assert first.fields["content-type"] == "application/vnd.apple.mpegurl"
        assert first.fields["cache-control"] == "no-store"
        assert first.fields["access-control-allow-origin"] == "*"
        master = m3u8.read_master(first.text)
        assert master.attributes["CODECS"] == "avc1.4d400d,mp4a.40.2"
        assert master.attributes["RESOLUTION"] == "320x180"
        assert master.uri.startswith("/live/cam.m3u8?hls_ctx=") and master.uri.endswith("&token=a%22b")
        async with camera.rolling():
            assert (await site.media(master.uri)).target == 2
            media = await site.segments(master.uri, 3)
        word = master.uri.partition("hls_ctx=")[2][:8]
        for segment in media.segments:
            assert segment.uri.startswith("cam-") and segment.uri.endswith(f".ts?hls_ctx={word}")
            answer = await site.get("/live/" + segment.uri)
            assert answer.fields["content-type"] == "video/MP2T"
            assert answer.fields["cache-control"] == "max-age=8"
            read = ts.read_ts(answer.body)
            assert [stream.type for stream in read.pmts[0].streams.values()] == [0x1B, 0x0F]
            pictures = [pes for pes in read.pes if pes.stream_id == 0xE0]
            assert pictures[0].random_access
            assert len(pictures) == round(segment.duration * 25)


@looped
async def test_segments_follow_each_other_without_a_frame_left_out():
    async with running("hls_ctx off;") as site:
        async with Camera(site).rolling():
            media = await site.segments("/live/cam.m3u8", 4)
        reader = ts.Reader()
        times = []
        for segment in media.segments:
            data = await site.fetch(segment.uri)
            times += [pes.dts for pes in ts.read_ts(data).pes if pes.stream_id == 0xE0]
            reader.read(data)
        assert {after - before for before, after in itertools.pairwise(times)} == {3600}


@looped
async def test_viewers_are_counted_and_gone_when_they_ask_no_more(monkeypatch):
    monkeypatch.setattr(limits, "HLS_SWEEP_SECONDS", 0.05)
    monkeypatch.setattr(limits, "HLS_IDLE_SECONDS", 0.1)
    async with running("hls_window 0.05; hls_fragment 0.1;") as site:
        camera = Camera(site)
        camera.run(3)
        async with camera.rolling(2):
            url = await site.join()
            (client,) = site.server.clients
            assert (client.request.output, client.request.file, client.request.peer.ip) == (
                "hls-play",
                "cam.m3u8",
                "127.0.0.1",
            )
            assert client.stream is camera.stream
            assert client.id == url.partition("hls_ctx=")[2]
            media = await site.media(url)
            sent = client.sent
            assert sent > 0
            body = await site.fetch(media.segments[-1].uri)
            assert client.sent == sent + len(body)
            # Another viewer is another client; the same one, again, is not.
            await site.join()
            await site.media(url)
            assert len(site.server.clients) == 2
            await until(lambda: len(site.server.clients) == 0)
            assert camera.stream.sent_before >= sent + len(body)
            assert len(site.server.parts.hls.sessions) == 0
            # It comes back with its old word, and is counted again.
            await site.media(url)
            assert [client.id for client in site.server.clients] == [url.partition("hls_ctx=")[2]]


@looped
async def test_a_head_request_shows_the_head_and_counts_nobody():
    async with running() as site:
        camera = Camera(site)
        camera.run(3)
        whole = await site.get("/live/cam.m3u8", method="HEAD")
        assert (whole.status, whole.body) == (200, b"")
        assert int(whole.fields["content-length"]) > 50
        assert len(site.server.clients) == 0
        url = await site.join()
        async with camera.rolling():
            media = await site.media(url)
        sent = next(iter(site.server.clients)).sent
        head = await site.get("/live/" + media.segments[0].uri, method="HEAD")
        body = await site.fetch(media.segments[0].uri)
        assert int(head.fields["content-length"]) == len(body) and head.body == b""
        assert next(iter(site.server.clients)).sent == sent + len(body)
        for path in ("/live/cam.m3u8", "/live/" + media.segments[0].uri):
            assert (await site.get(path, "Content-Length: 0", method="POST")).status == 405


@looped
async def test_a_kicked_viewer_finds_nothing_more():
    async with running() as site:
        camera = Camera(site)
        camera.run(3)
        url = await site.join()
        async with camera.rolling():
            media = await site.media(url)
        (client,) = site.server.clients
        client.link.drop(EndReason.KICKED)
        assert len(site.server.clients) == 0
        gone = await site.get(url)
        assert gone.status == 404 and "EOF" in gone.text
        assert (await site.get("/live/" + media.segments[0].uri)).status == 404
        # Who asks from the start is a new viewer.
        assert await site.join() != url
        assert len(site.server.clients) == 1


@looped
async def test_a_word_cannot_take_the_place_of_another_client():
    async with running() as site:
        camera = Camera(site)
        camera.run(3)
        await site.join()
        (client,) = site.server.clients
        other = Camera(site, NAME._replace(stream="other"))
        url = "/live/other.m3u8?hls_ctx="
        async with other.rolling():
            # The word of a viewer of one stream, used for another, is a viewer that went there.
            assert (await site.get(url + client.id)).status == 200
        assert [c.stream for c in site.server.clients] == [other.stream]
        site.server.clients.add(client)
        elsewhere = Client(
            replace(client.request, client_id="elsewher"), client.stream, client.link, client.joined
        )
        site.server.clients.add(elsewhere)
        assert (await site.get(url + "elsewher")).status == 200
        assert site.server.clients.find("elsewher") is elsewhere
        for word in ("publisher", "ABCDEFGH", "a", "x" * 5000, "%0A%0Aabcdef", ""):
            answer = await site.get(url + word)
            assert answer.status in (200, 431)
            if answer.status == 200 and word:
                m3u8.read_media(answer.text)
        assert len(site.server.parts.hls.sessions) <= 3


@looped
async def test_more_viewers_than_are_counted_are_served(monkeypatch):
    monkeypatch.setattr(limits, "HLS_SESSIONS_MAX", 2)
    async with running() as site, Camera(site).rolling():
        urls = [await site.join() for _ in range(4)]
        assert len(site.server.clients) == 2
        for url in urls:
            assert (await site.media(url)).segments
        assert len(site.server.clients) == 2


@looped
async def test_viewers_with_more_text_than_is_kept_are_served(monkeypatch):
    monkeypatch.setattr(limits, "HLS_SESSIONS_TEXT_BYTES", 3000)
    async with running() as site, Camera(site).rolling():
        urls = [await site.join(f"/live/cam.m3u8?token={'x' * 1000}") for _ in range(4)]
        assert len(site.server.clients) == 2
        for url in urls:
            assert (await site.media(url)).segments
        # Those that leave make room for others.
        for client in list(site.server.clients):
            client.link.drop(EndReason.KICKED)
        await site.join(f"/live/cam.m3u8?token={'y' * 1000}")
        assert len(site.server.clients) == 1


@looped
async def test_a_viewer_that_never_asks_for_its_playlist_is_soon_forgotten(monkeypatch):
    monkeypatch.setattr(limits, "HLS_SWEEP_SECONDS", 0.05)
    monkeypatch.setattr(limits, "HLS_UNUSED_SECONDS", 0.5)
    async with running() as site, Camera(site).rolling():
        used = await site.join()
        await site.join()
        await site.media(used)
        assert len(site.server.parts.hls.sessions) == 2
        await until(lambda: len(site.server.parts.hls.sessions) == 1)
        assert [client.id for client in site.server.clients] == [used.partition("hls_ctx=")[2]]


@looped
async def test_viewers_that_leave_together_do_so_in_steps():
    async with running() as site:
        camera = Camera(site)
        camera.run(3)
        await site.join()
        (client,) = site.server.clients
        sessions = HlsSessions(site.server.clients, lambda: clock[0], lambda: "")
        clock = [0.0]
        for number in range(1000):
            asked = replace(client.request, client_id=f"{number:08}")
            assert sessions.enter(asked, camera.stream, 10.0)
        clock[0] = 11.0
        assert sessions.enter(replace(client.request, client_id="stayhere"), camera.stream, 10.0)
        left = [len(sessions)]
        for _ in sessions.sweep():
            left.append(len(sessions))
        assert len(sessions) == 1 and len(site.server.clients) == 2
        most = limits.HLS_SWEEP_WORK // limits.HLS_SWEEP_REMOVAL
        assert max(before - after for before, after in itertools.pairwise(left)) <= most
        # A page of a publisher's is as long as its Referer; only its begin is kept.
        await site.get("/live/cam.m3u8", f"Referer: http://a/{'x' * 9000}")
        kept = [len(each.request.page_url) for each in site.server.clients]
        assert max(kept) == limits.PAGE_URL_CHARS_MAX


# --- choices --------------------------------------------------------------------------------------


@looped
async def test_fragmented_mp4_begins_at_keyframes_and_sound_fits():
    async with running("hls_use_fmp4 on;") as site:
        async with Camera(site).rolling():
            url = await site.join()
            media = await site.segments(url, 3)
        assert media.version >= 6
        answer = await site.get("/live/" + media.segments[0].map_uri)
        assert answer.fields["content-type"] == "video/mp4"
        tracks = mp4.read_init(answer.body)
        assert [track.handler for track in tracks.values()] == [b"vide", b"soun"]
        ends: dict[int, int] = {}
        for segment in media.segments:
            assert segment.uri.partition("?")[0].endswith(".m4s")
            _, runs = mp4.read_fragment(await site.fetch(segment.uri))
            assert runs[1][0].flags == 0x02000000
            assert sum(s.duration for s in runs[1]) == round(segment.duration * 90_000)
            for track_id, samples in runs.items():
                assert abs(samples[0].dts - ends.get(track_id, samples[0].dts)) <= 1
                ends[track_id] = samples[-1].dts + samples[-1].duration
            apart = runs[1][0].dts / 90_000 - runs[2][0].dts / tracks[2].timescale
            assert abs(apart) < 0.04


@pytest.mark.parametrize(("choice", "kinds"), [("hls_vcodec vn;", {0x0F}), ("hls_acodec an;", {0x1B})])
@looped
async def test_a_track_can_be_left_out(choice, kinds):
    async with running(f"hls_ctx off; {choice}") as site:
        async with Camera(site).rolling():
            media = await site.media("/live/cam.m3u8")
        read = ts.read_ts(await site.fetch(media.segments[0].uri))
        assert {stream.type for stream in read.pmts[-1].streams.values()} == kinds


@looped
async def test_sound_alone_is_cut_by_time():
    async with running("hls_ctx off;") as site:
        async with Camera(site, video=False).rolling():
            media = await site.segments("/live/cam.m3u8", 5)
        assert media.target == 2
        assert all(1.8 <= segment.duration <= 2 for segment in media.segments[-2:])
        for segment in media.segments:
            read = ts.read_ts(await site.fetch(segment.uri))
            assert {pes.stream_id for pes in read.pes} == {0xC0}


@looped
async def test_without_sessions_there_is_one_playlist_for_all():
    async with running("hls_ctx off;") as site:
        async with Camera(site).rolling():
            answer = await site.get("/live/cam.m3u8")
        assert answer.fields["cache-control"] == "max-age=1"
        assert "hls_ctx" not in answer.text
        assert len(site.server.clients) == 0


@looped
async def test_a_vhost_in_the_query_is_carried_on():
    async with running() as site:
        async with Camera(site, NAME._replace(vhost="plain.example")).rolling():
            media = await site.media("/live/cam.m3u8?vhost=plain.example")
        assert media.segments[0].uri.endswith(".ts?vhost=plain.example")
        assert (await site.get("/live/" + media.segments[0].uri)).status == 200
        assert (await site.get("/live/" + media.segments[0].uri.partition("?")[0])).status == 404
        by_host = await site.get("/live/cam.m3u8", "X: y")
        assert by_host.status == 404
        assert (await site.get("/live/cam.m3u8?vhost=off.example")).status == 404


@looped
async def test_the_session_stays_out_of_segments_where_asked_to():
    async with running(
        "hls_ts_ctx off; hls_master_m3u8_path_relative on; hls_entry_prefix http://cdn.example;"
    ) as site:
        async with Camera(site).rolling():
            url = await site.join()
            assert url.startswith("cam.m3u8?hls_ctx=")
            media = await site.media("/live/" + url)
        assert media.segments[0].uri.startswith("http://cdn.example/live/cam-")
        assert media.segments[0].uri.endswith(".ts")


@looped
async def test_codecs_that_hls_cannot_carry_are_named():
    async with running() as site:
        stream = site.server.hub.publish(NAME, OPTIONS, "publisher", 0)
        feed = Feed(stream.writer)
        for number in range(30):
            feed.audio(20 * number, b"\xb2" + bytes(20))
        site.server.hub.settle(stream, 10_000)
        site.server.hub.settle(stream, 20_000)
        answer = await site.get("/live/cam.m3u8")
        assert answer.status == 404 and "carry" in answer.text


@looped
async def test_names_like_those_of_segments_still_reach_the_other_outputs():
    async with running("hls_ts_file [app]/[stream]-[seq].flv;") as site:
        Camera(site).run(2)
        await site.join()
        Camera(site, NAME._replace(stream="cam-7")).run(2)
        head = await site.get("/live/cam-7.flv", method="HEAD")
        assert (head.status, head.fields["content-type"]) == (200, "video/x-flv")
        assert "gone" in (await site.get("/live/cam-8.flv")).text


@pytest.mark.parametrize("app", ["../up", "a/../b", "."])
@looped
async def test_a_stream_with_a_hostile_name_has_no_hls(app, tmp_path):
    async with running(f"hls_path {tmp_path}/root;") as site:
        Camera(site, NAME._replace(app=app)).run(3)
        camera = Camera(site)
        # A stream that came later has its files by then.
        async with camera.rolling():
            await until(lambda: list(tmp_path.rglob("cam.m3u8")))
        assert len(site.server.parts.hls.muxers) == 1
        assert list(tmp_path.rglob("*.m3u8")) == [tmp_path / "root/live/cam.m3u8"]


def test_the_configuration_says_what_hls_is():
    settings = load_text(
        """
        listen 1935; utc_time on;
        vhost a { hls { enabled on; } }
        vhost b { hls { enabled on; hls_path /srv; hls_fragment 4; hls_td_ratio 1.5; hls_aof_ratio 2.5; hls_window 20;
            hls_wait_keyframe off; hls_ts_floor on; hls_acodec an; hls_use_fmp4 on; hls_cleanup off; hls_dispose 7;
            hls_recover off; hls_on_error disconnect; hls_ctx off; hls_ts_ctx off; hls_master_m3u8_path_relative on;
            hls_td_ratio 9; } play { on_missing 3; } http_remux { on_missing 4; } }
        vhost c { }
        vhost d { hls { enabled on; hls_fragment 0.01; hls_aof_ratio 0.5; hls_vcodec vn; } }
        """
    )
    a, b, c, d = (hls_options(settings.vhost(name), settings) for name in "abcd")
    assert (a.least_ms, a.most_ms, a.playlist_ms, a.folder, a.mp4) == (10_000, 21_000, 60_000, "", False)
    assert (a.wait_key, a.floor_ms, a.audio, a.video, a.sessions, a.recover) == (
        True,
        0,
        True,
        True,
        True,
        True,
    )
    assert (b.least_ms, b.most_ms, b.playlist_ms, b.folder, b.mp4) == (6000, 10_000, 20_000, "/srv", True)
    assert (b.wait_key, b.floor_ms, b.audio, b.video) == (False, 4000, False, True)
    assert (b.cleanup, b.dispose_seconds, b.recover, b.on_error.value) == (False, 7, False, "disconnect")
    assert (b.sessions, b.segment_sessions, b.master_relative, b.on_missing) == (False, False, True, 3)
    assert c is None
    assert (d.least_ms, d.most_ms, d.video) == (limits.HLS_SEGMENT_MS_MIN, limits.HLS_SEGMENT_MS_MIN, False)


# --- queries --------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", ["", "hls_use_fmp4 on;"], ids=["ts", "mp4"])
@looped
async def test_the_query_of_a_playlist_is_carried_into_its_uris_where_that_is_asked_for(more):
    asked = "token=a%22b%2Fc&vhost=&x=1"
    for forward, sessions in itertools.product(("on", "off"), repeat=2):
        async with running(f"{more} hls_forward_query {forward}; hls_ctx {sessions};") as site:
            async with Camera(site).rolling():
                path = f"/live/cam.m3u8?{asked}"
                media = await site.media(await site.join(path) if sessions == "on" else path)
            segment = media.segments[0]
            for uri in (segment.uri, *([segment.map_uri] if more else [])):
                query = uri.partition("?")[2]
                assert ("hls_ctx=" in query) == (sessions == "on")
                assert query.count("hls_ctx=") <= 1
                assert (asked in query) == (forward == "on")
                assert await site.fetch(uri)


@looped
async def test_a_query_that_would_make_a_playlist_huge_is_refused(monkeypatch):
    monkeypatch.setattr(limits, "HLS_PLAYLIST_BYTES_MAX", 2000)
    async with running("hls_forward_query on; hls_ctx off;") as site, Camera(site).rolling():
        assert (await site.get("/live/cam.m3u8?token=a")).status == 200
        assert (await site.get(f"/live/cam.m3u8?token={'a' * 2000}")).status == 414
