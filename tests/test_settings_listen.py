"""Where the settings of a configuration say to listen: endpoints, listeners, ports and certificates of HTTPS."""

from __future__ import annotations

import pytest
from model.settings import BASE, refusal

from fastflv.config.endpoint import Endpoint, same_ports, uncovered
from fastflv.config.load import load_text
from fastflv.config.notice import NoticeKind

ENDPOINTS = {
    "1935": Endpoint("", 1935),
    "0.0.0.0:1935": Endpoint("0.0.0.0", 1935),
    "[::]:1935": Endpoint("::", 1935),
    "[fe80::1]:80": Endpoint("fe80::1", 80),
}


@pytest.mark.parametrize(("text", "endpoint"), ENDPOINTS.items())
def test_an_endpoint_is_read_and_written_back(text, endpoint):
    assert Endpoint.parse(text) == endpoint
    assert str(endpoint) == text


COVERS = {
    ("1935", "[::]:1935"): True,
    ("1935", "127.0.0.1:1935"): True,
    ("0.0.0.0:1935", "127.0.0.1:1935"): True,
    ("[::]:1935", "[::1]:1935"): True,
    ("[0:0::1]:1935", "[::1]:1935"): False,
    ("[::]:1935", "127.0.0.1:1935"): False,
    ("[::]:1935", "0.0.0.0:1935"): False,
    ("127.0.0.1:1935", "127.0.0.2:1935"): False,
    ("1935", "127.0.0.1:1936"): False,
}


@pytest.mark.parametrize(("pair", "covers"), COVERS.items(), ids=map(" ".join, COVERS))
def test_an_endpoint_covers_another_whose_clients_it_would_get(pair, covers):
    wide, narrow = map(Endpoint.parse, pair)
    assert wide.covers(narrow) is covers
    assert not narrow.covers(wide)
    assert uncovered((narrow, wide, narrow)) == ((wide,) if covers else (narrow, wide))
    if covers:
        assert wide.overlaps(narrow) and narrow.overlaps(wide)


def test_free_ports_never_meet():
    zero, other = Endpoint.parse("0"), Endpoint.parse("127.0.0.1:0")
    assert not zero.overlaps(zero) and not zero.overlaps(other) and not zero.covers(other)
    assert uncovered((zero, other)) == (zero, other)
    assert not same_ports((zero,), (zero,))
    assert same_ports((Endpoint("", 80),), (Endpoint("", 80),)) and not same_ports((Endpoint("", 80),), ())


def test_every_listener_may_have_a_free_port():
    settings = load_text(
        "listen 0; rtmps { enabled on; listen 0; } http_server { enabled on; listen 0; https { enabled on; listen 0; } }"
        " http_api { enabled on; listen 0; https { enabled on; listen 0; } }"
    )
    assert not settings.api_shared and not settings.api_https_shared
    assert {each.port for each in (*settings.listen, *settings.rtmps.listen, *settings.http_api.listen)} == {
        0
    }


def test_the_api_shares_the_free_tls_port_of_a_server_whose_port_it_shares():
    text = (
        "listen 1; http_server { enabled on; listen 80; https { enabled on; listen 0; } }"
        " http_api { enabled on; listen 80; https { enabled on; } }"
    )
    settings = load_text(text)
    assert settings.api_shared and settings.api_https_shared


def test_ports_are_shared_where_both_are_on_and_equal():
    shared = "http_server { enabled on; listen 80; } http_api { enabled on; listen 80; }"
    assert load_text(BASE + shared).api_shared
    assert not load_text(BASE + shared.replace("http_api { enabled on", "http_api { enabled off")).api_shared
    assert not load_text(
        BASE + shared.replace("http_api { enabled on; listen 80", "http_api { enabled on")
    ).api_shared


PROXIED = {
    "rtmp": "rtmp {{ {}; }}",
    "rtmps": "rtmps {{ enabled on; {}; }}",
    "http_server": "http_server {{ enabled on; {}; }}",
    "http_server.https": "http_server {{ enabled on; https {{ enabled on; {}; }} }}",
    "http_api": "http_api {{ enabled on; {}; }}",
    "http_api.https": "http_api {{ enabled on; https {{ enabled on; {}; }} }}",
}


@pytest.mark.parametrize("block", PROXIED)
def test_proxy_protocol_is_a_setting_of_each_listener_and_needs_trusted_proxies(block):
    text = PROXIED[block].format("\nproxy_protocol on")

    def is_on(settings):
        for name in block.split("."):
            settings = getattr(settings, name)
        return settings.proxy_protocol

    assert not is_on(load_text(BASE + PROXIED[block].format("proxy_protocol off")))
    settings = load_text(f"{BASE}trusted_proxies 10.0.0.1; {text}")
    assert is_on(settings) and settings.notices == ()
    error = refusal(BASE + text)
    assert (error.line, error.detail) == (2, f"{block}.proxy_protocol is on, but no proxy is trusted")
    assert "trusted_proxies 10.0.0.0/8;" in error.hint


@pytest.mark.parametrize("block", [block for block in PROXIED if block != "rtmp"])
def test_proxy_protocol_of_a_listener_that_is_off_needs_nothing(block):
    text = PROXIED[block].format("proxy_protocol on").replace("enabled on", "enabled off")
    assert load_text(BASE + text).notices == ()


def test_trusted_proxies_add_up_each_once():
    text = "trusted_proxies 10.0.0.0/8 192.0.2.7;\ntrusted_proxies 2001:db8::/32 10.1.2.3/8;"
    assert load_text(BASE + text).trusted_proxies == ("10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32")
    assert load_text(BASE).trusted_proxies == ()
    found = load_text(BASE + text, environ={"SRS_TRUSTED_PROXIES": "::1 127.0.0.1"})
    assert found.trusted_proxies == ("::1/128", "127.0.0.1/32")


@pytest.mark.parametrize("word", ["balancer", "10.0.0.0/33", "10.0.0.0/", "all", "10.0.0.1:80"])
def test_a_trusted_proxy_is_an_address_or_a_network(word):
    error = refusal(f"{BASE}\ntrusted_proxies ::1;\ntrusted_proxies 10.0.0.1 {word};")
    assert (error.line, error.detail) == (3, f"trusted_proxies cannot be '{word}'")
    assert "10.0.0.0/8" in error.hint


def test_proxy_protocol_of_the_api_on_the_ports_of_the_server_is_pointed_out():
    text = (
        "trusted_proxies ::1; http_server { enabled on; listen 80; https { enabled on; } }\n"
        "http_api { enabled on; listen 80;\nproxy_protocol on; https { enabled on; proxy_protocol off; } }"
    )
    [notice] = load_text(BASE + text, "a.conf").notices
    assert (notice.kind, notice.line) == (NoticeKind.ADVICE, 3)
    assert notice.text == "http_api is on the ports of http_server, whose proxy_protocol holds"


def test_a_listener_may_have_several_endpoints_each_once():
    settings = load_text("listen 1935 [::]:1935 1935; http_server { enabled on; listen 80 127.0.0.1:81; }")
    assert settings.listen == (Endpoint("", 1935), Endpoint("::", 1935))
    assert settings.http_server.listen == (Endpoint("", 80), Endpoint("127.0.0.1", 81))


def test_the_rtmp_block_is_the_new_home_of_listen_and_chunk_size():
    settings = load_text("rtmp { listen 19350; chunk_size 4096; } listen 1935; chunk_size 128;")
    assert (settings.listen, settings.chunk_size) == ((Endpoint("", 19350),), 4096)


def test_rtmps_is_none_unless_it_is_on():
    assert load_text(BASE + "rtmps { listen 443; }").rtmps is None
    rtmps = load_text(BASE + "rtmps { enabled on; listen 443; key k; cert c; }").rtmps
    assert (rtmps.listen, rtmps.key, rtmps.cert) == ((Endpoint("", 443),), "k", "c")


def test_https_has_pairs_of_certificate_and_key():
    text = "http_server { enabled on; https { enabled on; cert a.crt b.crt; key a.key b.key; } }"
    https = load_text(BASE + text).http_server.https
    assert https.pairs == (("a.crt", "a.key"), ("b.crt", "b.key"))
    assert load_text(BASE).http_server.https.pairs == (("./conf/server.crt", "./conf/server.key"),)


def test_pairs_of_https_that_is_off_are_not_counted():
    settings = load_text(BASE + "http_server { enabled on; https { cert a b; } }")
    assert len(settings.http_server.https.pairs) == 1


def test_https_of_the_api_takes_the_certificates_of_the_server_on_its_ports_only():
    server = "http_server { enabled on; listen 80; https { enabled on; listen 443; cert a b; key c d; } } "
    shared = load_text(BASE + server + "http_api { enabled on; listen 80; https { enabled on; } }")
    assert shared.http_api.https.pairs == (("a", "c"), ("b", "d"))
    assert shared.notices == ()
    own = load_text(BASE + server + "http_api { enabled on; listen 81; https { enabled on; } }")
    assert own.http_api.https.pairs == (("./conf/server.crt", "./conf/server.key"),)


def test_certificates_of_the_api_on_the_ports_of_the_server_are_pointed_out():
    text = (
        "http_server { enabled on; listen 80; https { enabled on; } }\n"
        "http_api { enabled on; listen 80;\n https { enabled on; listen 8088; cert a; key b; } }"
    )
    [notice] = load_text(BASE + text, "a.conf").notices
    assert (notice.kind, notice.line) == (NoticeKind.ADVICE, 3)
    assert "certificates hold" in notice.text


def test_the_api_shares_crossdomain_and_https_port_with_the_server_unless_it_has_its_own():
    shared = "http_server { enabled on; listen 80; crossdomain off; https { enabled on; listen 443; } }"
    api = load_text(BASE + shared + "http_api { enabled on; listen 80; }").http_api
    assert (api.crossdomain, api.https.listen) == (False, (Endpoint("", 443),))
    assert load_text(BASE + shared + "http_api { listen 81; crossdomain on; }").http_api.crossdomain
