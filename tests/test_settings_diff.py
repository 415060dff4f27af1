"""What differs between two configurations, where it stands, and when it counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.fields import every_setting
from model.settings import BASE

from fastflv.config.diff import WHEN, When, differences, when_of
from fastflv.config.load import load_text
from fastflv.config.unused import UNUSED, Why, unused

LIVE, NEW, RESTART, NEVER = When.LIVE, When.NEW_CONNECTIONS, When.RESTART, When.NEVER


def changes(old, new):
    """(text, when, place) of each difference."""
    return [
        (str(change), change.when, change.place)
        for change in differences(load_text(BASE + old, "old.conf"), load_text(f"{BASE}\n{new}", "new.conf"))
    ]


CHANGES = {
    "a listener": ("", "http_server { enabled on; }", ("http_server.enabled: off -> on", LIVE, "new.conf:2")),
    "an endpoint": (
        "http_server { enabled on; listen 80; }",
        "http_server { enabled on;\nlisten 81 [::1]:81; }",
        ("http_server.listen: 80 -> 81 [::1]:81", LIVE, "new.conf:3"),
    ),
    "a certificate": (
        "http_server { https { cert a; key k; } }",
        "http_server { https { cert b; key k; } }",
        ("http_server.https.cert: a -> b", LIVE, "new.conf:2"),
    ),
    "a block that comes": ("", "rtmps { enabled on; }", ("rtmps: none -> on", LIVE, "new.conf:2")),
    "a block that goes": ("rtmps { enabled on; }", "", ("rtmps: on -> none", LIVE, "old.conf:1")),
    "threads": ("", "fanout_threads 2;", ("fanout_threads: 0 -> 2", RESTART, "new.conf:2")),
    "a log file": (
        "",
        "srs_log_file a.log;",
        ("srs_log_file: ./objs/srs.log -> a.log", RESTART, "new.conf:2"),
    ),
    "a log level": ("", "srs_log_level_v2 warn;", ("srs_log_level: info -> warn", LIVE, "new.conf")),
    "what is gone": ("max_connections 5;", "", ("max_connections: 5 -> 1000", LIVE, "old.conf:1")),
    "a chunk size": ("", "chunk_size 4096;", ("chunk_size: 60000 -> 4096", NEW, "new.conf:2")),
    "proxies": (
        "",
        "trusted_proxies 10.0.0.1;",
        ("trusted_proxies: none -> 10.0.0.1/32", LIVE, "new.conf:2"),
    ),
    "a merge window": (
        "vhost a { }",
        "vhost a { play {\nmw_latency 100; } }",
        ("vhost a.play.mw_latency: auto -> 100", LIVE, "new.conf:3"),
    ),
    "a legacy spelling": (
        "vhost a { }",
        "vhost a {\nmw_latency 100; }",
        ("vhost a.play.mw_latency: auto -> 100", LIVE, "new.conf:3"),
    ),
    "mounts": (
        "vhost a { http_remux { enabled on; } }",
        "vhost a { http_remux { enabled on;\nmount /[stream].ts; } }",
        ("vhost a.http_remux.mount: [vhost]/[app]/[stream].flv -> /[stream].ts", LIVE, "new.conf:3"),
    ),
    "rules": (
        "vhost a { security { enabled on; deny play all; } }",
        "vhost a {\nsecurity { enabled on; allow publish 10.0.0.0/8; } }",
        ("vhost a.security: deny play all -> allow publish 10.0.0.0/8", LIVE, "new.conf:3"),
    ),
    "an ack size": (
        "vhost a { }",
        "vhost a { out_ack_size 9; }",
        ("vhost a.out_ack_size: 2500000 -> 9", NEW, "new.conf:2"),
    ),
    "a grace period": (
        "vhost a { }",
        "vhost a { publish { grace 2.5; } }",
        ("vhost a.publish.grace: 5 -> 2.5", LIVE, "new.conf:2"),
    ),
    "a vhost that comes": ("", "vhost a { play { atc on; } }", ("vhost a: none -> on", LIVE, "new.conf:2")),
    "a vhost that goes": ("vhost a { }", "", ("vhost a: on -> none", LIVE, "old.conf:1")),
    "a vhost that is switched off": (
        "vhost a { }",
        "vhost a { enabled off; }",
        ("vhost a.enabled: on -> off", LIVE, "new.conf:2"),
    ),
    "what has no effect": ("", "pithy_print_ms 5;", ("pithy_print_ms: 10000 -> 5", NEVER, "new.conf:2")),
    "a feature that is not there": (
        "vhost a { }",
        "vhost a { cluster { origin_cluster on; } }",
        ("vhost a.cluster.origin_cluster: off -> on", LIVE, "new.conf:2"),
    ),
    "what counts through another setting": (
        "vhost a { }",
        "vhost a { play { queue_length 10; } }",
        ("vhost a.play.lag_jump: 5000 -> 10000", LIVE, "new.conf:2"),
    ),
}


@pytest.mark.parametrize(("old", "new", "expected"), CHANGES.values(), ids=CHANGES)
def test_a_difference_is_named_with_its_place_and_when_it_counts(old, new, expected):
    assert changes(old, new) == [expected]


def test_a_password_is_not_shown():
    auth = "http_api {{ auth {{ enabled on; username a; password {}; }} }}"
    [(text, _, _)] = changes(auth.format("secret"), auth.format("other"))
    assert text == "http_api.auth.password: (hidden) -> (hidden)"


def test_what_stands_elsewhere_is_the_same():
    assert (
        changes("max_connections 5; vhost a { play { atc on; } }", "vhost a { atc on; }\nmax_connections 5;")
        == []
    )


def test_a_difference_from_the_environment_has_its_place():
    old, new = (load_text(BASE, environ=environ) for environ in ({}, {"SRS_MAX_CONNECTIONS": "7"}))
    [change] = differences(old, new)
    assert (change.setting, change.old, change.new) == ("max_connections", 1000, 7)
    assert change.place == "environment SRS_MAX_CONNECTIONS"


def test_the_differences_of_several_vhosts_come_in_order():
    old = "vhost a { } vhost b { } vhost c { }"
    new = "chunk_size 4096; vhost d { } vhost c { chunk_size 128; } vhost a { chunk_size 128; }"
    assert [text.split(":")[0] for text, _, _ in changes(old, new)] == [
        "chunk_size",
        "vhost a.chunk_size",
        "vhost b",
        "vhost c.chunk_size",
        "vhost d",
    ]


def test_every_setting_has_its_time():
    for path, block in every_setting():
        if not block:
            assert when_of(path) in When
            assert unused(path) or when_of(path) is not NEVER
            assert any(path == key or path.startswith(f"{key}.") for key in WHEN), path


def test_every_entry_of_the_table_is_a_setting_or_a_block():
    assert set(WHEN) <= {path for path, _ in every_setting()}


def test_a_setting_without_an_entry_is_an_error():
    with pytest.raises(KeyError):
        when_of("vhost.no_such_block.x")


VALUES = [
    "max_connections 5;",
    "utc_time on;",
    "chunk_size 4096;",
    "stats { disk vda; }",
    "srs_log_tank console;",
]
BODIES = ["atc on;", "mw_latency 5;", "gop_cache off;", "on_missing 1;", "queue_length 7;"]
TEXTS = st.builds(
    "{} vhost a {{ play {{ {} }} }}".format,
    st.lists(st.sampled_from(VALUES), unique=True).map(" ".join),
    st.lists(st.sampled_from(BODIES), unique=True).map(" ".join),
)


@given(TEXTS, TEXTS)
def test_there_is_a_difference_when_and_only_when_the_settings_differ(old, new):
    one, two = load_text(BASE + old), load_text(BASE + new)
    found = differences(one, two)
    folded = [row.path for row in UNUSED if row.why is Why.FOLDED]
    assert bool(found) == ((one.vhosts, _rest(one)) != (two.vhosts, _rest(two)))
    assert {(change.path, change.new, change.old) for change in differences(two, one)} == {
        (change.path, change.old, change.new) for change in found
    }
    assert not {change.setting for change in found} & set(folded)


def _rest(settings):
    return settings.max_connections, settings.utc_time, settings.chunk_size, settings.stats, settings.log
