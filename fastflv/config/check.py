"""What values mean together: the combinations that SRS refuses, and a few that cannot run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from posixpath import normpath

from fastflv import limits
from fastflv.config.endpoint import Endpoint, same_ports
from fastflv.config.filemount import file_mounts
from fastflv.config.grammar.directive import Directive
from fastflv.config.grammar.problems import Problems, value_error
from fastflv.config.grammar.section import Section
from fastflv.config.model.caster import RTMP_PORT
from fastflv.config.model.server import Settings
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.config.notice import NoticeKind
from fastflv.config.routes import check_routes
from fastflv.errors import ConfigValueError, StartupError


def check_open_files(settings: Settings, soft_limit: int) -> None:
    """Raise StartupError when *soft_limit* open files (RLIMIT_NOFILE) do not carry `max_connections`."""
    needed = settings.max_connections + limits.CONNECTIONS_RESERVED
    if needed < soft_limit:
        return
    room = soft_limit - limits.CONNECTIONS_RESERVED - 1
    lower = f", or set max_connections to {room} or less" if room > 0 else ""
    raise StartupError(
        f"max_connections {settings.max_connections} needs more than {needed} open files, but this process may"
        f" have {soft_limit}; run 'ulimit -n {max(10_000, settings.max_connections * 2)}' before the server"
        f" (LimitNOFILE= in a systemd unit){lower}"
    )


def check_listeners(settings: Settings) -> None:
    """Raise ConfigValueError where nothing is listened on: a start from the environment that sets nothing."""
    if not any(listen for _, listen in _listeners(settings, settings.directive)):
        raise ConfigValueError(
            "the server listens on nothing",
            file=settings.directive.file,
            hint="set SRS_LISTEN=1935 for RTMP, and SRS_HTTP_SERVER_ENABLED=on and SRS_VHOST_HTTP_REMUX_ENABLED=on for HTTP",
        )


def check_filled(root: Directive) -> None:
    """Raise ConfigValueError when the file holds no directive at all."""
    if not root.children:
        raise ConfigValueError(
            "the configuration is empty", file=root.file, hint="it needs at least 'listen 1935;'"
        )


def check_meaning(settings: Settings, root: Section, env_only: bool) -> None:
    """Add a problem for each combination that cannot be; write notices for odd ones.

    What is missing is no problem beside others, which may be why. *env_only*: a start without a file may go
    without an RTMP listener.
    """
    assert root.directive is not None
    problems = root.problems
    if not settings.listen and not env_only and not problems:
        problems.add(_error(root.directive, (), "there is no RTMP listener", "add 'listen 1935;'"))
    _check_http(settings, root.directive, problems)
    _check_distinct(settings, root.directive, problems)
    _check_proxied(settings, root)
    _check_http2(root)
    _check_casters(settings, problems)
    for section in root.subs("vhost"):
        _check_vhost(section)
    with problems.collected():
        files = file_mounts(settings.vhosts, settings.http_server.dir)
        for name, vhost in settings.vhosts.items():
            check_routes(
                vhost,
                problems,
                api_shared=settings.api_shared,
                files=files[name],
                numbered=settings.numbered_app(name),
            )
    if settings.daemon and settings.asprocess:
        problems.add(
            _error(
                root.directive, ("asprocess",), "asprocess and daemon exclude each other", "add 'daemon off;'"
            )
        )
    if settings.daemon and settings.log.tank.value == "console":
        root.notify(
            NoticeKind.ADVICE,
            "a daemon has no console to log to; set srs_log_tank to file",
            root.value("srs_log_tank"),
        )
    # Last, as in SRS: the file is checked whole before it is refused for being documentation.
    if root.flag("is_full", False) and not problems:
        problems.add(
            _error(
                root.directive,
                ("is_full",),
                f"never use {root.directive.file}: it documents, it does not run",
                "start from a small file and add what you need",
            )
        )


def _error(root: Directive, path: tuple[str, ...], detail: str, hint: str = "") -> ConfigValueError:
    """An error at the directive at *path* under *root*, or at the nearest block around it."""
    return value_error(_at(root, path), detail, hint)


def _at(root: Directive, path: tuple[str, ...]) -> Directive:
    """The directive at *path* under *root*, or the nearest block around it."""
    at = root
    for name in path:
        found = at.first(name)
        if found is None:
            break
        at = found
    return at


def _check_http(settings: Settings, root: Directive, problems: Problems) -> None:
    server, api = settings.http_server, settings.http_api
    for name, http in (("http_server", server), ("http_api", api)):
        if http.https.enabled and not http.enabled:
            problems.add(
                _error(root, (name, "https"), f"{name}.https is on, but {name} is off", f"enable {name}")
            )
    if not (server.enabled and api.enabled and (server.https.enabled or api.https.enabled)):
        return
    # Below shared ports `listen 0` of the server's https stands in the API's https as well.
    same = (
        server.https.listen == api.https.listen
        if settings.api_shared
        else same_ports(server.https.listen, api.https.listen)
    )
    if settings.api_shared != same:
        problems.add(
            _error(
                root,
                ("http_api", "https", "listen"),
                f"http_api and http_server ({_at(root, ('http_server', 'https', 'listen')).place}) share their http"
                " or their https ports, but not both",
                "let both listens be equal, or none",
            )
        )


def _check_distinct(settings: Settings, root: Directive, problems: Problems) -> None:
    """Two listeners on one endpoint could never start; a server and API that share theirs are one listener."""
    bound: list[tuple[Endpoint, str, Directive]] = []
    places = [
        (".".join(path[:-1]) or "listen", _at(root, path), found)
        for path, found in _listeners(settings, root)
    ]
    for caster in settings.stream_casters:
        block = caster.source.directive if caster.source else None
        assert block is not None
        places.append((f"stream_caster (line {block.line})", _at(block, ("listen",)), caster.listen))
    for name, at, listen in places:
        # In place of a value that cannot be stands the default, which nobody wrote.
        for endpoint in () if problems.at(at) else listen:
            for taken, other, place in bound:
                if other != name and endpoint.overlaps(taken):
                    where = (
                        str(endpoint) if endpoint == taken else f"{endpoint} and {taken}, which are one port"
                    )
                    problems.add(
                        value_error(
                            _endpoint_place(at, endpoint),
                            f"{name} and {other} ({place.place}) both listen on {where}",
                            "give one another port",
                        )
                    )
                    break
            bound.append((endpoint, name, at))


def _endpoint_place(listen: Directive, endpoint: Endpoint) -> Directive:
    """The word of *listen* that names *endpoint*, else *listen*: defaults and variables have no word there."""
    if listen.name == "listen":
        for word, column in zip(listen.args, listen.columns[1:], strict=False):
            try:
                if Endpoint.parse(word) == endpoint:
                    return replace(listen, columns=(column,))
            except ValueError:
                continue
    return listen


def _check_proxied(settings: Settings, root: Section) -> None:
    """Find a `proxy_protocol` without proxies: headers of other addresses are not believed."""
    server, api = settings.http_server, settings.http_api
    blocks = {
        "rtmp": settings.rtmp.proxy_protocol,
        "rtmps": settings.rtmps is not None and settings.rtmps.proxy_protocol,
        "http_server": server.enabled and server.proxy_protocol,
        "http_server.https": server.https.enabled and server.https.proxy_protocol,
        "http_api": api.enabled and api.proxy_protocol,
        "http_api.https": api.https.enabled and api.https.proxy_protocol,
    }
    for path, on in blocks.items():
        if on and not settings.trusted_proxies:
            section = root
            for name in path.split("."):
                section = section.sub(name)
            at = section.value("proxy_protocol")
            assert at is not None
            root.problems.add(
                at.error(
                    "is on, but no proxy is trusted",
                    "write 'trusted_proxies 10.0.0.0/8;' at the top of the file, with the addresses of the proxies",
                )
            )


def _check_casters(settings: Settings, problems: Problems) -> None:
    """Find a caster whose streams would go to another server or to no vhost, and likewise of `flv_tcp`."""
    rtmp = settings.rtmps.listen if settings.rtmps else ()
    for caster in settings.stream_casters:
        output, source = caster.output, caster.source
        assert source is not None
        at = source.value("output")
        where = at or source.directive
        assert where is not None
        # Without a listener, which is a problem of its own, no output can be here.
        if settings.listen and not output.is_here(tuple(settings.vhosts), (*settings.listen, *rtmp)):
            port = next((each.port for each in settings.listen), RTMP_PORT)
            here = "127.0.0.1" if port == RTMP_PORT else f"127.0.0.1:{port}"
            problems.add(
                value_error(
                    where,
                    f"stream_caster.output {output} is no stream of this server",
                    f"write rtmp://{here}/[app]/[stream]; a caster publishes here, and forwards to nobody",
                )
            )
        if settings.vhost(output.vhost) is None:
            problems.add(
                value_error(
                    where,
                    f"stream_caster.output {output} is of a vhost that is not served",
                    "add the vhost, or name another one with ?vhost=NAME",
                )
            )
    tcp = settings.flv_tcp
    if not tcp.enabled:
        return
    if not tcp.app.strip("/") or tcp.app.strip("/") != tcp.app:
        problems.add(
            _error(
                settings.directive,
                ("flv_tcp", "app"),
                f"flv_tcp.app cannot be '{tcp.app}'",
                "write a name without slashes at its ends, as live",
            )
        )
    if settings.vhost(DEFAULT_VHOST) is None:
        problems.add(
            _error(
                settings.directive,
                ("flv_tcp",),
                f"flv_tcp is on, but {DEFAULT_VHOST}, which takes its streams, is not served",
                f"add 'vhost {DEFAULT_VHOST} {{ }}'",
            )
        )


def _listeners(settings: Settings, root: Directive) -> Iterator[tuple[tuple[str, ...], tuple[Endpoint, ...]]]:
    server, api = settings.http_server, settings.http_api
    yield (
        ("rtmp", "listen") if _at(root, ("rtmp", "listen")).name == "listen" else ("listen",),
        settings.listen,
    )
    if settings.rtmps:
        yield ("rtmps", "listen"), settings.rtmps.listen
    if server.enabled:
        yield ("http_server", "listen"), server.listen
    if server.https.enabled:
        yield ("http_server", "https", "listen"), server.https.listen
    if api.enabled and not settings.api_shared:
        yield ("http_api", "listen"), api.listen
    if api.https.enabled and not settings.api_https_shared:
        yield ("http_api", "https", "listen"), api.https.listen
    if settings.flv_tcp.enabled:
        yield ("flv_tcp", "listen"), settings.flv_tcp.listen
    if settings.exporter.enabled:
        yield ("exporter", "listen"), settings.exporter.listen


def _check_http2(root: Section) -> None:
    """Find `http2 on` without its package; where it is not written, handshakes offer HTTP/1.1 alone then."""
    for name in ("http_server", "http_api"):
        https = root.sub(name).sub("https")
        http2 = https.value("http2")
        wanted = https.flag("enabled", False) and https.flag("http2", False)
        if http2 is not None and wanted and find_spec("h2") is None:
            root.problems.add(http2.error("needs the package h2", "run: pip install 'fastflv[http2]'"))


def _check_keys(vhost: Section) -> None:
    """Find `hls_keys on` without the package that encrypts, or with keys that nobody serves."""
    hls = vhost.sub("hls")
    keys = hls.value("hls_keys")
    if keys is None or not (hls.flag("enabled", False) and hls.flag("hls_keys", False)):
        return
    if find_spec("cryptography") is None:
        vhost.problems.add(keys.error("needs the package cryptography", "run: pip install 'fastflv[keys]'"))
    path, folder = hls.value("hls_key_file_path"), hls.value("hls_path")
    together = path and folder and normpath(path.words[0]) == normpath(folder.words[0])
    if path and not together and hls.value("hls_key_url") is None:
        vhost.problems.add(
            path.error(
                "puts keys where another server has them, but playlists do not name that server",
                "write hls_key_url, for example 'hls_key_url https://keys.example.com/;', or leave hls_key_file_path out",
            )
        )


def _check_vhost(vhost: Section) -> None:
    directive = vhost.directive
    assert directive is not None
    _check_keys(vhost)
    name = " ".join(directive.args)
    for remux in directive.every("http_remux")[1:]:
        vhost.problems.add(
            value_error(
                remux, f"vhost {name} has more than one http_remux", "write all mounts into one block"
            )
        )
    cluster = vhost.sub("cluster")
    mode = cluster.value("mode")
    if (
        mode is not None
        and mode.words[0] == "remote"
        and not (cluster.value("origin") or cluster.value("directory"))
    ):
        vhost.problems.add(
            mode.error("makes an edge, but there is no origin", "write 'origin host:port;' beside it")
        )
    forward = vhost.sub("forward")
    if forward.flag("enabled", False) and vhost.sub("cluster").text("mode", "local") == "remote":
        vhost.notify(
            NoticeKind.NO_EFFECT,
            f"vhost {name} is an edge, whose streams are not forwarded: let the origin forward them",
            forward.value("enabled"),
        )
    if forward.flag("enabled", False) and vhost.sub("publish").number("kickoff_for_idle", 0.0):
        vhost.problems.add(
            _error(
                directive,
                ("publish", "kickoff_for_idle"),
                f"vhost {name} has forward and kickoff_for_idle, which exclude each other",
                "turn one of them off",
            )
        )
    ids = Counter(ingest.args[:1] for ingest in directive.every("ingest"))
    for args in (args for args, count in ids.items() if count > 1):
        ingest = next(each for each in directive.every("ingest") if each.args[:1] == args)
        vhost.problems.add(
            value_error(
                ingest,
                f"vhost {name} has two ingests called '{''.join(args)}'",
                "give each its own id",
            )
        )
