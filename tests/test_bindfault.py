"""What is said of a listener that cannot be opened."""

from __future__ import annotations

import errno

import pytest

from fastflv.config.endpoint import Endpoint
from fastflv.config.load import load, load_text
from fastflv.config.place import change_place
from fastflv.control.bindfault import bind_fault


@pytest.mark.parametrize(
    ("endpoint", "number", "words"),
    [
        (Endpoint("", 1935), errno.EADDRINUSE, ("address already in use", "ss -ltnp", "another port")),
        (Endpoint("", 80), errno.EACCES, ("permission denied", "CAP_NET_BIND_SERVICE", "1024")),
        (Endpoint("192.0.2.1", 80), errno.EADDRNOTAVAIL, ("has the address 192.0.2.1", "ip address")),
        (Endpoint("::1", 80), errno.EAFNOSUPPORT, ("no IPv6",)),
        (Endpoint("", 8080), errno.EACCES, ("permission denied",)),
    ],
)
def test_the_advice_fits_the_cause(endpoint, number, words):
    said = str(bind_fault("HTTP", endpoint, OSError(number, ""), "in a.conf:3"))
    assert said.startswith(f"cannot listen for HTTP on {endpoint}: ")
    assert all(word in said for word in words)
    assert said.endswith("in a.conf:3")
    assert ("ss -ltnp" in said) == (number == errno.EADDRINUSE)
    assert ("CAP_NET_BIND_SERVICE" in said) == (endpoint.port == 80 and number == errno.EACCES)


def test_the_place_to_choose_another_endpoint_is_where_it_is_written_or_could_be():
    written = load_text(
        "listen 1;\nhttp_server {\nlisten 80; }", "a.conf", environ={"SRS_HTTP_API_LISTEN": "3"}
    )
    built_in = load(None, environ={})
    given = load(None, environ={}, options={"listen": ("--listen", "1936")})
    empty = load(None, environ={"SRS_LISTEN": "1"}, env_only=True)
    places = [
        (written, "listen", "in a.conf:1"),
        (written, "http_server.listen", "in a.conf:3"),
        (written, "http_api.listen", "with SRS_HTTP_API_LISTEN"),
        (written, "rtmps.listen", "with rtmps.listen in a.conf"),
        (built_in, "listen", "with --listen or SRS_LISTEN"),
        (built_in, "http_server.listen", "with --http or SRS_HTTP_SERVER_LISTEN"),
        (built_in, "http_server.https.listen", "with SRS_HTTP_SERVER_HTTPS_LISTEN"),
        (given, "listen", "with --listen"),
        (empty, "listen", "with SRS_LISTEN"),
        (empty, "http_server.listen", "with SRS_HTTP_SERVER_LISTEN"),
    ]
    for settings, path, place in places:
        assert change_place(settings.source, path) == place


def test_the_newer_home_of_a_listener_is_found():
    settings = load_text("rtmp {\nlisten 1; }", "a.conf")
    assert change_place(settings.source, "listen", "rtmp.listen") == "in a.conf:2"
