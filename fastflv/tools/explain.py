"""`fastflv -t --explain URL`: what a play or publish of a URL would meet, by the configuration alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from fastflv.config.endpoint import Endpoint
from fastflv.config.grammar.section import Section
from fastflv.config.masking import masked
from fastflv.config.model.limits import Limits, Scope
from fastflv.config.model.server import Settings
from fastflv.config.model.vhost import Vhost
from fastflv.config.routes import RouteKind
from fastflv.control.runtime import Runtime, compile_runtime
from fastflv.errors import CommandError, ToolError
from fastflv.net.peertext import printable
from fastflv.protocols.rtmp.address import parse
from fastflv.servers.http.router import Match, Site
from fastflv.stream.name import fault_of
from fastflv.tools.configtest import work_folder

PORTS: Final = {"rtmp": 1935, "rtmps": 443, "http": 80, "https": 443, "ws": 80, "wss": 443}
"Schemes that are explained, and the port of a URL that names none."

ACTIONS: Final = ("play", "publish")


@dataclass(slots=True)
class Rule:
    """One rule of a vhost or of the server."""

    block: str
    text: str
    place: str


@dataclass(slots=True)
class Explanation:
    """The way of a request, as far as it gets."""

    url: str
    listener: str = ""
    "What listens on the URL's port; empty: nothing."
    vhost: str = ""
    "The vhost that serves the host; empty: none does."
    vhost_place: str = ""
    stream: str = ""
    "Application and name, as `live/livestream`; empty where the path is of no stream."
    answered_by: str = ""
    "The route that takes the path, or RTMP."
    route_place: str = ""
    container: str = ""
    "Of a mount: flv, ts, aac or mp3."
    arguments: dict[str, str] = field(default_factory=dict)
    "Arguments of the mount."
    rules: dict[str, list[Rule]] = field(default_factory=dict)
    "By action, in the order asked."
    notes: list[str] = field(default_factory=list)
    problem: str = ""
    "Why nobody gets to a stream or file; empty where the way is open."


def explain(runtime: Runtime, url: str) -> Explanation:
    """Follow *url* through the compiled configuration. Raises ToolError for what is no URL of a stream."""
    try:
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        port = parts.port or PORTS[scheme]
        host = parts.hostname or ""
    except (KeyError, ValueError):
        raise ToolError(f"{url} is no URL of {', '.join(PORTS)}") from None
    found = Explanation(url)
    path = unquote(parts.path) or "/"
    if scheme in ("rtmp", "rtmps"):
        _explain_rtmp(found, runtime, url, scheme, port)
    else:
        _explain_http(found, runtime, host, path, parts.query, secure=scheme in ("https", "wss"), port=port)
    return found


def answer(settings: Settings, url: str, *, as_json: bool) -> int:
    """Explain *url* on stdout; return the exit status: 1 where the way ends, or for what is no URL."""
    try:
        found = explain(compile_runtime(settings, 1, folder=work_folder(settings)), url)
    except ToolError as error:
        if as_json:
            print(json.dumps({"good": False, "problem": str(error)}))
        else:
            print(f"fastflv: {printable(str(error))}", file=sys.stderr)
        return 1
    return show(found, as_json=as_json)


def show(found: Explanation, *, as_json: bool) -> int:
    """Write *found* to stdout; return the exit status: 1 where the way ends."""
    if as_json:
        print(json.dumps({"good": not found.problem, **asdict(found)}, indent=2))
    else:
        for line in _lines(found):
            sys.stdout.write(printable(line) + "\n")
    return 1 if found.problem else 0


def _lines(found: Explanation) -> Iterator[str]:
    def at(place: str) -> str:
        return f" ({place})" if place else ""

    yield found.url
    yield f"  listener  {found.listener or 'none'}"
    if found.vhost:
        yield f"  vhost     {found.vhost}{at(found.vhost_place)}"
    if found.answered_by:
        arguments = "".join(f", {name}={value}" for name, value in found.arguments.items())
        yield f"  route     {found.answered_by}{at(found.route_place)}{arguments}"
    if found.stream:
        yield f"  stream    {found.stream}"
    for action, rules in found.rules.items():
        yield f"  {action:9} {'no rule: anybody may' if not rules else 'asked in this order:'}"
        yield from (f"    {rule.block}: {rule.text}{at(rule.place)}" for rule in rules)
    yield from (f"  note      {note}" for note in found.notes)
    if found.problem:
        yield f"  problem   {found.problem}"


def _explain_rtmp(found: Explanation, runtime: Runtime, url: str, scheme: str, port: int) -> None:
    settings = runtime.settings
    rtmps = settings.rtmps.listen if settings.rtmps is not None else ()
    endpoints = settings.listen if scheme == "rtmp" else rtmps
    found.listener = _listener(("RTMP" if scheme == "rtmp" else "RTMPS", endpoints), port=port)
    try:
        address = parse(url, "")
    except CommandError as error:
        raise ToolError(f"{url} names no stream: {error}") from None
    vhost = _find_vhost(found, runtime, address.vhost)
    if vhost is None:
        return
    if not address.stream:
        found.problem = "the URL names no stream; write rtmp://HOST/APP/STREAM"
        return
    found.stream = f"{address.app}/{address.stream}"
    found.answered_by = "RTMP"
    _add_rules(found, settings, vhost, ACTIONS, rtmp=True)
    found.notes.append(_missing(vhost.play.on_missing))
    _check_listener(found, port)


def _explain_http(
    found: Explanation, runtime: Runtime, host: str, path: str, query: str, *, secure: bool, port: int
) -> None:
    settings = runtime.settings
    server, api = settings.http_server, settings.http_api
    streams: tuple[Endpoint, ...] = ()
    apis: tuple[Endpoint, ...] = ()
    if server.enabled and (server.https.enabled or not secure):
        streams = server.https.listen if secure else server.listen
    if api.enabled and (api.https.enabled or not secure):
        apis = api.https.listen if secure else api.listen
    tls = ".https" if secure else ""
    found.listener = _listener((f"http_server{tls}", streams), (f"http_api{tls}", apis), port=port)
    site: Site
    if found.listener.startswith("http_api"):
        site = runtime.api_site
    else:
        asked = next((each[6:] for each in query.split("&") if each.startswith("vhost=")), "") or host
        vhost = _find_vhost(found, runtime, asked)
        if vhost is None:
            return
        site = runtime.vhosts[vhost.name].site
    match = next(iter(site.matches(path)), None)
    if match is None:
        found.problem = f"nothing is at {path}: no mount, playlist, segment or file has that path (404)"
        return
    _describe(found, match)
    if found.vhost and match.name.stream:
        served = settings.vhosts[found.vhost]
        publishes = match.route.mount is not None and match.route.mount.container == "flv"
        _add_rules(found, settings, served, ACTIONS if publishes else ("play",))
        late = served.http_remux.on_missing if match.route.mount is not None else served.play.on_missing
        found.notes.append(_missing(late))
        if any(each.route.kind is RouteKind.FILES for each in site.matches(path)):
            found.notes.append("a file of that path is sent where the stream is absent")
    _check_listener(found, port)


def _describe(found: Explanation, match: Match) -> None:
    route = match.route
    found.answered_by, found.route_place = route.what, route.at.place if route.at is not None else ""
    if route.mount is not None:
        found.container, found.arguments = route.mount.container, dict(route.mount.args)
    if match.name.stream:
        found.stream = f"{match.name.app}/{match.name.stream}"
        fault = fault_of(match.name.app) or fault_of(match.name.stream)
        if fault:
            found.problem = f"the name {fault} (400)"


def _find_vhost(found: Explanation, runtime: Runtime, host: str) -> Vhost | None:
    settings = runtime.settings
    vhost = settings.vhost(host)
    if vhost is None:
        off = settings.vhosts.get(host)
        why = (
            f"vhost {host} is off"
            if off is not None
            else f"no vhost serves {host or 'no host'}, and there is no default one"
        )
        found.problem = f"{why}: each play and publish is refused"
        return None
    found.vhost = vhost.name
    found.vhost_place = vhost.directive.place if vhost.directive is not None else ""
    return vhost


def _listener(*blocks: tuple[str, tuple[Endpoint, ...]], port: int) -> str:
    """The first block that listens on *port*, with its endpoint; empty where none does."""
    for name, endpoints in blocks:
        for each in endpoints:
            if each.port == port:
                return f"{name} on {each}"
    return ""


def _check_listener(found: Explanation, port: int) -> None:
    if not found.listener and not found.problem:
        found.problem = f"nothing listens on port {port} for this scheme"


def _missing(seconds: float) -> str:
    if seconds <= 0:
        return "a play of a stream that nobody publishes is refused at once"
    return f"a play waits {seconds:g} s for a stream that nobody publishes"


def _add_rules(
    found: Explanation, settings: Settings, vhost: Vhost, actions: tuple[str, ...], *, rtmp: bool = False
) -> None:
    assert vhost.source is not None and settings.source is not None
    found.rules = {action: list(_rules(settings, vhost, action, rtmp=rtmp)) for action in actions}
    found.notes.append(f"at most {settings.max_connections} connections in all (max_connections)")


def _rules(settings: Settings, vhost: Vhost, action: str, *, rtmp: bool) -> Iterator[Rule]:
    """The rules that are asked, in their order: security, refer, limits of an address, auth, other limits, hooks."""
    source = vhost.source
    assert source is not None and settings.source is not None
    if vhost.security.enabled:
        yield from _security(vhost, action, source.sub("security"))
    if vhost.refer.enabled:
        section = source.sub("refer")
        for name, sites in (("all", vhost.refer.all), (action, getattr(vhost.refer, action))):
            if sites:
                yield Rule("refer", f"the page is of {' or '.join(sites)}", _place(section, name))
    blocks = (
        ("limits of the server", settings.limits, settings.source.sub("limits")),
        ("limits", vhost.limits, source.sub("limits")),
    )
    for name, limits, section in blocks:
        yield from _limits(name, limits, section, action, by_address=True)
    if vhost.auth.enabled and action in vhost.auth.apply:
        yield Rule("auth", "a token or a signed URL is needed", _place(source.sub("auth"), "enabled"))
    for name, limits, section in blocks:
        yield from _limits(name, limits, section, action, by_address=False)
    hooks = vhost.http_hooks
    if hooks.enabled:
        section = source.sub("http_hooks")
        for name in (*(("on_connect",) if rtmp else ()), f"on_{action}"):
            for url in getattr(hooks, name):
                yield Rule("http_hooks", f"{name} asks {masked(url)}", _place(section, name))


def _security(vhost: Vhost, action: str, section: Section) -> Iterator[Rule]:
    rules = [rule for rule in vhost.security.rules if rule.action == action]
    # As asked: any deny that matches refuses, then any allow passes.
    for rule in sorted(rules, key=lambda rule: rule.allow):
        directive = next(
            (
                each
                for each in (section.directive.children if section.directive is not None else ())
                if each.args == (rule.action, rule.peers) and (each.name == "allow") is rule.allow
            ),
            section.directive,
        )
        yield Rule("security", str(rule), directive.place if directive is not None else "")
    if not vhost.security.rules:
        yield Rule("security", "there is no allow and no deny: all are refused", "")
    elif any(rule.allow for rule in vhost.security.rules):
        allowed = any(rule.allow for rule in rules)
        yield Rule(
            "security",
            "all others are refused" if allowed else f"nothing allows {action}: all are refused",
            "",
        )


def _limits(name: str, limits: Limits, section: Section, action: str, *, by_address: bool) -> Iterator[Rule]:
    for line in limits.lines:
        if (line.scope is Scope.IP) is not by_address:
            continue
        if line.kind.value in ("conn", "req") or (line.kind.value == "send_rate") is (action == "play"):
            yield Rule(name, line.text, _place(section, line.kind.value))


def _place(section: Section, name: str) -> str:
    value = section.value(name)
    if value is not None:
        return value.place
    return section.directive.place if section.directive is not None else ""
