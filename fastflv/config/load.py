"""`load`, the one way to get a configuration as typed values.

Loading goes: parse, rewrite legacy spellings, check names, read values (environment first), check
what values mean together, `is_full` last. Nothing is opened but the files themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from fastflv.config import check
from fastflv.config.feature import survey
from fastflv.config.grammar import legacy, schema
from fastflv.config.grammar.directive import Directive
from fastflv.config.grammar.environ import NO_OPTIONS, Environment
from fastflv.config.grammar.filestamp import FileStamps
from fastflv.config.grammar.parse import parse, parse_file
from fastflv.config.grammar.problems import Problems, TooManyProblems
from fastflv.config.grammar.section import Section
from fastflv.config.model.caster import FlvTcp, read_casters
from fastflv.config.model.limits import read_limits
from fastflv.config.model.server import (
    Exporter,
    Heartbeat,
    Rtmp,
    Rtmps,
    Settings,
    Stats,
    read_listen,
    read_log,
    read_root_chunk_size,
    read_trusted_proxies,
)
from fastflv.config.model.vhost import DEFAULT_VHOST, Vhost, read_vhost
from fastflv.config.model.webserver import read_http_api, read_http_server
from fastflv.config.notice import Notice
from fastflv.config.place import BUILT_IN, ENVIRONMENT
from fastflv.config.unused import survey_unused


def load(
    path: str | None,
    *,
    environ: Mapping[str, str],
    env_only: bool = False,
    folder: str = "",
    stamps: FileStamps | None = None,
    contained: bool = False,
    options: Mapping[str, tuple[str, str]] = NO_OPTIONS,
    problems: Problems | None = None,
) -> Settings:
    """Read the configuration file at *path*, with the SRS_* variables of *environ* over it.

    *path* None: the built-in configuration. SRS_CONFIG_FILE beats *path*. *env_only*, or
    SRS_ENV_ONLY, is a start without any file: daemon off, log to the console, one default vhost.
    *folder*: where relative paths start, of included files too; empty: the working directory. *contained*: the
    process runs in a container, which is `in_docker on` unless the configuration has a word for it.
    *options*: of the command line, by directive path, as `Environment` takes them.
    *stamps* is given how each file looked before it was read, also where this fails.
    *problems* is given what is wrong, and the settings are what could be read; None: raises ConfigFileError,
    ConfigSyntaxError, ConfigNameError or ConfigValueError, with the place; the error carries all `problems`.
    """
    found = Problems() if problems is None else problems
    try:
        settings = _load(path, environ, env_only, folder, stamps, contained, options, found)
    except TooManyProblems:
        if problems is not None:
            raise
        settings = Settings()
    if problems is None:
        found.raise_found()
    return settings


def _load(
    path: str | None,
    environ: Mapping[str, str],
    env_only: bool,
    folder: str,
    stamps: FileStamps | None,
    contained: bool,
    options: Mapping[str, tuple[str, str]],
    problems: Problems,
) -> Settings:
    environment = Environment(environ, options)
    if env_only or environment.only:
        return _build(_without_file(), environment, problems, env_only=True, contained=contained)
    path = environment.config_file or path
    if path is not None:
        root = parse_file(path, folder, stamps, problems)
        return _build(root, environment, problems, contained=contained)
    built_in = Path(__file__).with_name("default.conf").read_text("utf-8")
    return _build(parse(built_in, BUILT_IN), environment, problems)


def load_text(text: str, file: str = "<text>", *, environ: Mapping[str, str] | None = None) -> Settings:
    """As `load`, for a configuration in memory; *file* labels places in messages."""
    problems = Problems()
    settings = Settings()
    with suppress(TooManyProblems):
        settings = _build(parse(text, file, problems=problems), Environment(environ or {}), problems)
    problems.raise_found()
    return settings


def _without_file() -> Directive:
    values = {"daemon": "off", "srs_log_tank": "console"}
    vhost = Directive("vhost", (DEFAULT_VHOST,), block=True, file=ENVIRONMENT)
    children = (*(Directive(name, (value,), file=ENVIRONMENT) for name, value in values.items()), vhost)
    return Directive("", (), children, block=True, file=ENVIRONMENT)


def _build(
    root: Directive,
    environment: Environment,
    problems: Problems,
    *,
    env_only: bool = False,
    contained: bool = False,
) -> Settings:
    notices: list[Notice] = []
    if not problems:
        with problems.collected():
            check.check_filled(root)
    root = legacy.rewrite(root, notices)
    root = schema.check_names(root, problems)
    section = Section(root, "", environment, notices, problems)
    vhosts: dict[str, Vhost] = {}
    for each in section.subs("vhost"):
        vhost = problems.attempt(partial(read_vhost, each), Vhost())
        vhosts.setdefault(vhost.name, vhost)
    # What was written counts, `off` too.
    in_docker = section.flag("in_docker", False) if section.value("in_docker") else contained
    settings = section.fill(
        Settings,
        listen=read_listen(section),
        rtmps=section.sub("rtmps").fill(Rtmps) if section.sub("rtmps").flag("enabled", False) else None,
        chunk_size=read_root_chunk_size(section),
        trusted_proxies=read_trusted_proxies(section),
        in_docker=in_docker,
        rtmp=section.sub("rtmp").fill(Rtmp),
        daemon=section.flag("daemon", True)
        and not (in_docker and section.flag("disable_daemon_for_docker", True)),
        log=read_log(section, in_docker),
        http_server=read_http_server(section),
        http_api=read_http_api(section),
        stream_casters=read_casters(section),
        flv_tcp=section.sub("flv_tcp").fill(FlvTcp),
        stats=section.sub("stats").fill(Stats),
        heartbeat=section.sub("heartbeat").fill(Heartbeat),
        exporter=section.sub("exporter").fill(Exporter),
        limits=read_limits(section.sub("limits")),
        vhosts=vhosts,
        notices=(),
        source=section,
    )
    survey(section)
    survey_unused(settings, section)
    with problems.collected():
        check.check_meaning(settings, section, env_only)
    return replace(settings, notices=tuple(dict.fromkeys(notices)))
