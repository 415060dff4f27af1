"""What a file says that is taken and hardly meant: one notice each."""

from __future__ import annotations

from fastflv import limits
from fastflv.config.grammar import schema
from fastflv.config.grammar.directive import Directive
from fastflv.config.grammar.schema import BlockSchema
from fastflv.config.grammar.section import Section
from fastflv.config.model.server import Settings
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.config.notice import Notice, NoticeKind


def advice(settings: Settings) -> tuple[Notice, ...]:
    """Return notices for what makes a server useless, or a part of its file.

    A fragment of a file is no mistake, so this is for the whole one that a server is to run with.
    """
    assert settings.source is not None
    notices: list[Notice] = []
    root = Section(
        settings.source.directive, "", settings.source.environment, notices, settings.source.problems
    )
    _advise_twins(root)
    _advise_repeated(root.directive, schema.ROOT, "", root)
    if not any(vhost.enabled for vhost in settings.vhosts.values()):
        why = "every vhost is off" if settings.vhosts else "there is no vhost"
        root.notify(
            NoticeKind.ADVICE,
            f"{why}, so each publish and each play is refused; add 'vhost __defaultVhost__ {{ }}'",
            root.value("listen") or root.directive,
        )
    else:
        _advise_http(settings, root)
        _advise_auth(settings, root)
    return tuple(notices)


def open_files_advice(settings: Settings, soft_limit: int) -> tuple[Notice, ...]:
    """Return a notice when *soft_limit* open files (RLIMIT_NOFILE) carry `max_connections` of some kinds only."""
    each = limits.CONNECTION_DESCRIPTORS_MAX
    needed = settings.max_connections * each + limits.CONNECTIONS_RESERVED
    if needed < soft_limit:
        return ()
    most = (soft_limit - limits.CONNECTIONS_RESERVED) // each
    text = (
        f"max_connections {settings.max_connections}: players of WebSocket and RTMP take two open files each, downloads"
        f" three; this process may have {soft_limit}, enough for {most} downloads; 'ulimit -n {needed + 1}'"
        " (LimitNOFILE= in a systemd unit) carries any"
    )
    return (Notice(NoticeKind.ADVICE, text),)


def _advise_twins(root: Section) -> None:
    """Point out a second vhost of one name: the first counts, and nothing of the other."""
    first: dict[str, Directive] = {}
    for section in root.subs("vhost"):
        directive = section.directive
        assert directive is not None
        name = directive.args[0]
        if name in first:
            root.notify(
                NoticeKind.ADVICE,
                f"vhost {name} is written at {first[name].place} already; that one counts, and this one is ignored",
                directive,
            )
        first.setdefault(name, directive)


def _advise_repeated(block: Directive | None, allowed: BlockSchema, path: str, root: Section) -> None:
    """Point out a statement or block that is written again where the first one counts."""
    first: dict[str, Directive] = {}
    for child in block.children if block is not None and not allowed.free else ():
        inner = f"{path}.{child.name}" if path else child.name
        if child.name in first and inner not in schema.REPEATED:
            root.notify(
                NoticeKind.ADVICE,
                f"{inner} is written at {first[child.name].place} already; that one counts, and this one is ignored",
                child,
            )
        elif child.name in allowed.blocks:
            _advise_repeated(child, allowed.blocks[child.name], inner, root)
        first.setdefault(child.name, child)


def _advise_http(settings: Settings, root: Section) -> None:
    """Point out an HTTP server without anything to serve, and streams mounted where there is none."""
    server = settings.http_server
    vhosts = [vhost for vhost in settings.vhosts.values() if vhost.enabled]
    if server.enabled:
        if not settings.api_shared and not any(
            vhost.http_remux.enabled or vhost.hls.enabled for vhost in vhosts
        ):
            root.notify(
                NoticeKind.ADVICE,
                "http_server is on, but no vhost has anything mounted on it, so players get 404; add"
                " 'http_remux { enabled on; }' to a vhost",
                root.sub("http_server").directive,
            )
        return
    for vhost in vhosts:
        assert vhost.source is not None
        for name, on in (
            ("http_remux", vhost.http_remux.enabled),
            ("hls", vhost.hls.enabled and not vhost.hls.on_disk),
        ):
            if on:
                root.notify(
                    NoticeKind.ADVICE,
                    f"{name} of vhost {vhost.name} is on, but http_server is off, so nobody can play it; add"
                    " 'http_server { enabled on; }'",
                    vhost.source.sub(name).directive,
                )


def _advise_auth(settings: Settings, root: Section) -> None:
    """Point out where clients cannot have the proof that `auth` demands."""
    for vhost in settings.vhosts.values():
        auth, hls = vhost.auth, vhost.hls
        if not vhost.enabled or not auth.enabled:
            continue
        assert vhost.source is not None
        inherited = hls.hls_ctx and hls.hls_ts_ctx
        if hls.enabled and "play" in auth.apply and not inherited and not hls.hls_forward_query:
            root.notify(
                NoticeKind.ADVICE,
                f"auth of vhost {vhost.name} is asked for each segment, since HLS has no sessions whose consent they"
                " could inherit; set hls_ctx and hls_ts_ctx on, or hls_forward_query on",
                vhost.source.sub("hls").value("hls_ctx") or vhost.source.sub("hls").directive,
            )
    default = settings.vhost(DEFAULT_VHOST)
    if (
        settings.flv_tcp.enabled
        and default is not None
        and default.auth.enabled
        and "publish" in default.auth.apply
    ):
        root.notify(
            NoticeKind.ADVICE,
            "flv_tcp carries no token, so auth of the default vhost refuses all that is published there; take publish"
            " out of 'apply', or close the port",
            root.sub("flv_tcp").directive,
        )
