"""The router over route tables: the first route that takes a request, what each method gets, and hosts."""

from __future__ import annotations

from collections.abc import Callable

from model.http import LAST, ask, looped, request, serving, split

from fastflv.config.mount import parse_mounts
from fastflv.config.routes import Route, RouteKind
from fastflv.config.template import PathTemplate
from fastflv.net.networkset import NetworkSet
from fastflv.protocols.http.crossdomain import NONE, PLAY, CrossDomain
from fastflv.protocols.http.message import Response
from fastflv.servers.http.router import (
    API_METHODS,
    PLAY_METHODS,
    PUBLISH_METHODS,
    Router,
    Site,
    methods_of,
)


def mount(pattern: str) -> Route:
    (made,) = parse_mounts((pattern,), "a.example")
    return Route(RouteKind.MOUNT, f"mount {pattern}", (made.template,), mount=made)


API = Route(RouteKind.API, "the API", prefix="/api/")
PLAYLIST = Route(RouteKind.PLAYLIST, "playlist", (PathTemplate.parse("/[app]/[stream].m3u8", "a.example"),))
SEGMENT = Route(RouteKind.SEGMENT, "segment", (PathTemplate.parse("/[app]/[stream]-[seq].ts", "a.example"),))
FLV = mount("/[app]/[stream].flv")
TS = mount("/[app]/[stream].ts")
TABLE = (API, PLAYLIST, SEGMENT, TS, FLV)


def router(
    table: tuple[Route, ...] = TABLE, *, passes: tuple[RouteKind, ...] = (), cross_domain: CrossDomain = NONE
) -> Router:
    """Handlers answer with the route, the vhost and the name found; those of *passes* ask the next route."""

    def handler(kind: RouteKind) -> Callable:
        def handle(exchange, match):
            if kind in passes:
                return False
            exchange.respond(Response.of_text(200, f"{match.route.what}: {' '.join(match.name)}".strip()))
            return None

        return handle

    def site_of(host: str) -> Site:
        return Site("", TABLE[:1]) if host == "nobody" else Site(f"vhost-{host}", table)

    return Router(
        site_of,
        {kind: handler(kind) for kind in RouteKind},
        cross_domain=lambda kind: cross_domain,
        trusted=lambda: NetworkSet(()),
    )


async def get(
    handler: Router, path: str, method: str = "GET", *fields: str
) -> tuple[int, dict[str, str], bytes]:
    async with serving(handler) as (port, _):
        heads = 1 if method == "HEAD" else 0
        return split(await ask(port, request(path, method, "Connection: close", *fields)), heads)[0]


@looped
async def test_the_first_route_that_matches_answers():
    assert (await get(router(), "/api/x"))[2] == b"the API: vhost-a"
    assert (await get(router(), "/live/b.m3u8"))[2] == b"playlist: vhost-a live b"
    assert (await get(router(), "/live/b-7.ts"))[2] == b"segment: vhost-a live b"
    assert (await get(router(), "/live/b.ts"))[2] == b"mount /[app]/[stream].ts: vhost-a live b"


@looped
async def test_a_route_may_pass_a_request_on():
    passing = router(passes=(RouteKind.SEGMENT,))
    assert (await get(passing, "/live/b-7.ts"))[2] == b"mount /[app]/[stream].ts: vhost-a live b-7"
    assert (await get(router(TABLE[:3], passes=(RouteKind.SEGMENT,)), "/live/b-7.ts"))[0] == 404


@looped
async def test_routes_share_a_path_by_method():
    # One mount takes the path for players alone, the next one also for publishers.
    table = (API, Route(RouteKind.PLAYLIST, "like a stream", FLV.templates), FLV)
    handler = router(table)
    assert (await get(handler, "/live/b.flv"))[2] == b"like a stream: vhost-a live b"
    assert (await get(handler, "/live/b.flv", "PUT", "Content-Length: 0"))[2].startswith(b"mount ")
    status, fields, _ = await get(handler, "/live/b.flv", "DELETE")
    assert (status, fields["allow"]) == (405, "GET, HEAD, POST, PUT, OPTIONS")


@looped
async def test_only_flv_mounts_take_publishers():
    assert methods_of(FLV) == PLAY_METHODS + PUBLISH_METHODS
    assert methods_of(TS) == methods_of(PLAYLIST) == methods_of(SEGMENT) == PLAY_METHODS
    assert methods_of(API) == API_METHODS
    for path in ("/live/b.ts", "/live/b.m3u8", "/live/b-7.ts"):
        status, fields, _ = await get(router(), path, "POST", "Content-Length: 0")
        assert (status, fields["allow"]) == (405, "GET, HEAD, OPTIONS")


@looped
async def test_a_path_of_no_route_is_404_with_any_method():
    for method in ("GET", "DELETE", "OPTIONS"):
        assert (await get(router(), "/none", method))[0] == 404


@looped
async def test_a_name_that_rtmp_would_refuse_is_400_for_players_and_publishers():
    for path in (
        "/live/a%0ab.flv",
        "/live/a..b.flv",
        "/live/a%5cb.m3u8",
        "/l%1bve/b.ts",
        f"/live/{'x' * 1025}.flv",
    ):
        for method in ("GET", "HEAD"):
            assert (await get(router(), path, method))[0] == 400, path
    assert (await get(router(), "/live/a%0ab.flv", "PUT", "Content-Length: 0"))[0] == 400


@looped
async def test_a_method_that_no_resource_takes_is_405_whatever_the_path():
    async with serving(router(cross_domain=PLAY)) as (port, _):
        for method in ("PATCH", "TRACE"):
            (found, last) = split(await ask(port, request("/none", method) + LAST))
            assert (found[0], found[1]["allow"]) == (405, "GET, HEAD, POST, PUT, DELETE, OPTIONS")
            assert last[0] == 404
        assert split(await ask(port, request("/none", "OPTIONS", "Connection: close")))[0][0] == 200


@looped
async def test_the_vhost_is_that_of_the_query_before_that_of_the_host_header():
    handler = router()
    assert (await get(handler, "/live/b.flv?vhost=c&domain=d"))[2].endswith(b"vhost-c live b")
    assert (await get(handler, "/live/b.flv?domain=d"))[2].endswith(b"vhost-d live b")
    assert (await get(handler, "/live/b.flv?vhost=&domain=d"))[2].endswith(b"vhost-d live b")
    assert (await get(handler, "/live/b.flv?vhost="))[2].endswith(b"vhost-a live b")


@looped
async def test_a_host_that_no_vhost_serves_has_its_own_table():
    assert (await get(router(), "/live/b.flv?vhost=nobody"))[0] == 404
    assert (await get(router(), "/api/x?vhost=nobody"))[2] == b"the API:"


@looped
async def test_the_table_and_the_switches_are_asked_per_request():
    tables = [TABLE[:1], TABLE]
    switch = [NONE, PLAY]
    handler = Router(
        lambda host: Site("v", tables[0]),
        {kind: lambda exchange, match: exchange.respond(Response()) for kind in RouteKind},
        cross_domain=lambda kind: switch[0],
        trusted=lambda: NetworkSet(()),
    )
    async with serving(handler) as (port, _):
        asked = request("/live/b.flv", "GET", "Origin: http://b", "Connection: close")
        (before,) = split(await ask(port, asked))
        del tables[0], switch[0]
        (after,) = split(await ask(port, asked))
    assert (before[0], after[0]) == (404, 200)
    assert ("access-control-allow-origin" in before[1], "access-control-allow-origin" in after[1]) == (
        False,
        True,
    )


def test_a_site_that_was_asked_for_more_paths_than_it_remembers_matches_as_a_new_one():
    site = Site("v", TABLE)
    stems = ["/live/a", "/api/v1/a", "/x", "/live/" + "a" * 300, *(f"/live/{n}" for n in range(1100))]
    paths = [stem + ending for stem in stems for ending in (".flv", ".m3u8", "-1.ts")]
    for path in (*paths, *reversed(paths)):
        assert site.matches(path) == Site("v", TABLE).matches(path)
    assert [match.route.kind for match in site.matches("/live/a-1.ts")] == [
        RouteKind.SEGMENT,
        RouteKind.MOUNT,
    ]
