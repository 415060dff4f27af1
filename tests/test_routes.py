"""The table of routes of a vhost: its order, and what each route takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from model.settings import BASE

from fastflv.config.load import load, load_text
from fastflv.config.model.hls import Hls
from fastflv.config.model.remux import HttpRemux
from fastflv.config.model.vhost import Vhost
from fastflv.config.routes import RouteKind, page_routes, play_paths, routes_of
from fastflv.servers.hls.names import HlsNames

API, RECORD, PLAYLIST, SEGMENT, KEY, MOUNT, _, _, NUMBER, CLIP, WINDOW, FILES = RouteKind


def table(body, *, api_shared=False):
    return routes_of(load_text(f"{BASE}\nvhost a {{ {body} }}", "a.conf").vhost("a"), api_shared=api_shared)


def taken(routes, path):
    """(kind, names) of each route that takes *path*, in order."""
    return [(route.kind, found) for route in routes if (found := route.match(path)) is not None]


def named(app, stream):
    return {"app": app, "stream": stream}


BUILT_IN = routes_of(load(None, environ={}).vhost("x"), api_shared=False)


def test_the_api_is_asked_first_then_hls_then_the_most_specific_mount():
    assert [route.kind for route in BUILT_IN] == [API, PLAYLIST, SEGMENT, SEGMENT, SEGMENT, *[MOUNT] * 5]
    ranks = [route.mount.rank for route in BUILT_IN if route.mount]
    assert ranks == sorted(ranks, reverse=True)


def test_a_path_is_offered_to_its_routes_in_order():
    assert taken(BUILT_IN, "/live/cam.m3u8") == [(PLAYLIST, named("live", "cam"))]
    assert taken(BUILT_IN, "/live/cam.flv") == [(MOUNT, named("live", "cam"))]
    assert taken(BUILT_IN, "/live/cam-7.ts") == [
        (SEGMENT, named("live", "cam")),
        (MOUNT, named("live", "cam-7")),
    ]
    assert taken(BUILT_IN, "/live/cam-7.m4s") == [(SEGMENT, named("live", "cam"))]
    assert taken(BUILT_IN, "/live/cam/init-7.mp4") == [(SEGMENT, named("live", "cam"))]
    assert taken(BUILT_IN, "/flv/live/cam") == [(MOUNT, named("live", "cam"))]
    assert [found for _, found in taken(BUILT_IN, "/flv/live/cam.flv")] == [
        named("live", "cam"),
        named("flv/live", "cam"),
    ]
    assert taken(BUILT_IN, "/") == taken(BUILT_IN, "/x") == []


def test_clips_are_asked_for_before_mounts_where_the_past_is_kept():
    routes = table("timeshift { window 60; } http_remux { enabled on; mount /[app]/[stream].ts; }")
    assert taken(routes, "/clip/live/cam.mp4") == [(CLIP, named("live", "cam"))]
    assert taken(routes, "/clip/live/cam.ts") == [
        (CLIP, named("live", "cam")),
        (MOUNT, named("clip/live", "cam")),
    ]
    assert taken(table(""), "/clip/live/cam.ts") == []


def test_segments_of_the_past_have_paths_where_hls_and_the_past_are_on():
    routes = table("timeshift { window 60; } hls { enabled on; }")
    for path in ("/clip/live/cam/17.m4s", "/clip/live/cam/init-17.m4s"):
        assert taken(routes, path)[0] == (WINDOW, named("live", "cam"))
    assert taken(routes, "/clip/live/cam/x.m4s") == taken(table("timeshift { window 60; }"), path) == []


def test_the_api_takes_what_is_below_it_on_shared_ports_and_one_path_on_others():
    shared, apart = table("", api_shared=True), table("")
    for path in ("/api/v1/versions", "/api/", "/api/v1/streams", "/metrics"):
        assert taken(shared, path) == [(API, {})]
        assert bool(taken(apart, path)) == (path == "/api/v1/versions")
    assert taken(shared, "/api") == taken(shared, "/metrics/x") == []


def test_blocks_that_are_off_have_no_routes():
    assert [route.kind for route in table("")] == [API]
    assert [route.kind for route in table("http_remux { enabled on; }")] == [API, MOUNT]
    assert [route.kind for route in table("hls { enabled on; }")] == [
        API,
        PLAYLIST,
        SEGMENT,
        SEGMENT,
        SEGMENT,
    ]


def test_a_route_knows_how_and_where_it_was_written():
    routes = table(
        "hls { enabled on;\nhls_ts_file [stream].ts; }\nhttp_remux { enabled on;\nmount /[stream].flv; }"
    )
    assert [(route.what, route.place) for route in routes] == [
        ("the API", "built in"),
        ("hls_m3u8_file [app]/[stream].m3u8", "a.conf:2"),
        ("hls_ts_file [stream].ts", "a.conf:3"),
        ("hls_fmp4_file [app]/[stream]-[seq].m4s", "a.conf:2"),
        ("hls_init_file [app]/[stream]/init.mp4", "a.conf:2"),
        ("mount /[stream].flv", "a.conf:5"),
    ]


def test_a_route_of_the_environment_names_its_variable():
    environ = {"SRS_VHOST_HTTP_REMUX_ENABLED": "on", "SRS_VHOST_HTTP_REMUX_MOUNT": "/[stream].ts"}
    vhost = load_text(BASE + "vhost a { }", environ=environ).vhost("a")
    assert routes_of(vhost, api_shared=False)[-1].place == "environment SRS_VHOST_HTTP_REMUX_MOUNT"


def test_a_vhost_that_no_file_has_has_routes_too():
    vhost = Vhost(http_remux=HttpRemux(enabled=True), hls=Hls(enabled=True))
    routes = routes_of(vhost, api_shared=True)
    assert taken(routes, "/live/cam.flv") == [(MOUNT, named("live", "cam"))]
    assert routes[-1].place == "built in"


@given(
    st.text(max_size=40),
    st.sampled_from(["/live/cam", "/a/b-1", "/"]),
    st.sampled_from(["", ".ts", "-1.ts", ".m3u8", "-2.m4s"]),
)
def test_playlists_and_segments_are_those_of_the_names_of_files(path, front, back):
    names = HlsNames("__defaultVhost__")
    path = front + path + back
    for kind, found in ((PLAYLIST, names.stream_of(path)), (SEGMENT, names.segment_of(path))):
        routed = next(
            (route.match(path) for route in BUILT_IN if route.kind is kind and route.match(path)), None
        )
        assert (routed and (routed["app"], routed["stream"])) == (found and found[1:])


def test_the_paths_of_a_stream_are_those_that_its_routes_answer():
    mounts = (
        "mount [vhost]/[app]/[stream].flv /[stream].ts /fixed/name.flv; mount [vhost]/[app]/[stream].mp3;"
    )
    settings = load_text(
        f"listen 1; vhost a {{ http_remux {{ enabled on; {mounts} }} hls {{ enabled on; }} }}"
    )
    vhost = settings.vhost("a")
    routes = (*page_routes(settings), *routes_of(vhost, api_shared=True))
    found = {each.path: each.container for each in play_paths(routes, "live", "name")}
    assert found == {
        "/live/name.flv": "flv",
        "/name.ts": "ts",
        "/live/name.mp3": "mp3",
        "/live/name.m3u8": "hls",
    }
    elsewhere = {each.path for each in play_paths(routes, "other", "name")}
    assert "/name.ts" not in elsewhere, "a mount without [app] is of live"


def test_the_recording_api_is_asked_before_the_api_and_only_where_a_vhost_or_the_port_has_it():
    def kinds(text, path, *, shared):
        [vhost] = load_text(BASE + text).vhosts.values()
        return [route.kind for route in routes_of(vhost, api_shared=shared) if route.match(path) is not None]

    for path in ("/flv/record/start/live/x", "/api/v1/recordings", "/api/v1/recordings/live/x.flv"):
        assert kinds("vhost a { }", path, shared=False) == []
        assert kinds("vhost a { record_api on; }", path, shared=False) == [RECORD]
        assert kinds("vhost a { }", path, shared=True)[0] is RECORD
