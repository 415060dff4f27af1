"""Where HTTP/2 is offered: on TLS listeners of HTTP, unless it is switched off or its package is missing."""

from __future__ import annotations

import importlib.util
from functools import partial

import pytest

from fastflv.config.load import load_text
from fastflv.control.endpoints import Spoken, wanted
from fastflv.errors import ConfigValueError

CONF = """
listen 1935;
rtmps {{ enabled on; listen 1443; cert a; key b; }}
http_server {{ enabled on; https {{ enabled on; cert a; key b; {} }} }}
http_api {{ enabled on; https {{ enabled on; cert a; key b; {} }} }}
vhost __defaultVhost__ {{ }}
"""


def connect(name):
    return partial(str, name)


def offered(server: str = "", api: str = "") -> dict[str, tuple[str, ...]]:
    """What each listener offers by ALPN."""
    spoken = Spoken(
        *map(connect, ("rtmp", "streams", "streams2", "api", "api2", "tcp", "caster", "exporter"))
    )
    listeners = wanted(load_text(CONF.format(server, api)), spoken)
    return {each.name: each.secured.offered for each in listeners if each.pairs is not None}


def without(monkeypatch, package: str) -> None:
    def find(name: str):
        return None if name == package else importlib.util.find_spec(name)

    for module in ("config.check", "control.endpoints"):
        monkeypatch.setattr(f"fastflv.{module}.find_spec", find)


BOTH = ("h2", "http/1.1")


def test_http2_is_offered_before_http1_over_tls_and_not_beside_rtmp():
    assert offered() == {"RTMPS": (), "HTTPS": BOTH, "API over TLS": BOTH}


def test_http2_is_switched_off_for_each_listener():
    assert offered("http2 off;", "http2 on;") == {"RTMPS": (), "HTTPS": (), "API over TLS": BOTH}


def test_without_its_package_http2_is_not_offered_and_refused_where_it_is_written(monkeypatch):
    without(monkeypatch, "h2")
    assert offered() == {"RTMPS": (), "HTTPS": (), "API over TLS": ()}
    for server, api in (("http2 on;", ""), ("", "http2 on;")):
        with pytest.raises(ConfigValueError, match=r"fastflv\[http2\]"):
            load_text(CONF.format(server, api))
    load_text(CONF.format("http2 off;", ""))
