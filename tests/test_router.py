"""The route table: the first that matches, what each method gets, and routes that pass a request on."""

from __future__ import annotations

from model.http import LAST, ask, looped, request, serving, split

from fastflv.protocols.http.message import Response
from fastflv.servers.http.router import Route, Router


def route(name: str, prefix: str, *methods: str, mine: bool = True) -> Route[str]:
    """Answer paths below *prefix* with the name and what was found; *mine*: no later route is asked."""

    def match(request):
        return request.path.removeprefix(prefix) if request.path.startswith(prefix) else None

    def handle(exchange, found):
        if mine:
            exchange.respond(Response.of_text(200, f"{name} {found}"))
        return mine

    return Route(name, methods, match, handle)


async def get(router: Router, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    async with serving(router) as (port, _):
        return split(await ask(port, request(path, method, "Connection: close")))[0]


TABLE = (
    route("api", "/api/", "GET", "DELETE"),
    route("passes", "/live/a", "GET", mine=False),
    route("hls", "/live/", "GET", "HEAD"),
    route("push", "/live/", "PUT"),
)


@looped
async def test_the_first_route_that_matches_answers():
    router = Router(TABLE, cross_domain=False)
    assert (await get(router, "/api/x"))[2] == b"api x"
    assert (await get(router, "/live/b"))[2] == b"hls b"


@looped
async def test_a_route_may_pass_a_request_on():
    assert (await get(Router(TABLE, cross_domain=False), "/live/a"))[2] == b"hls a"
    assert (await get(Router(TABLE[:2], cross_domain=False), "/live/a"))[0] == 404


@looped
async def test_routes_share_a_path_by_method():
    router = Router(TABLE, cross_domain=False)
    assert (await get(router, "/live/b", "PUT"))[2] == b"push b"
    status, fields, _ = await get(router, "/live/b", "DELETE")
    assert (status, fields["allow"]) == (405, "GET, HEAD, PUT, OPTIONS")


@looped
async def test_a_path_of_no_route_is_404_with_any_method():
    router = Router(TABLE, cross_domain=False)
    for method in ("GET", "DELETE", "OPTIONS"):
        assert (await get(router, "/none", method))[0] == 404


@looped
async def test_a_method_that_no_resource_takes_is_405_whatever_the_path():
    async with serving(Router(TABLE, cross_domain=True)) as (port, _):
        for method in ("PATCH", "TRACE"):
            (found, last) = split(await ask(port, request("/none", method) + LAST))
            assert (found[0], found[1]["allow"]) == (405, "GET, HEAD, POST, PUT, DELETE, OPTIONS")
            assert last[0] == 404
        assert split(await ask(port, request("/none", "OPTIONS", "Connection: close")))[0][0] == 200
