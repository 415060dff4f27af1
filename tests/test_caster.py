"""Casters: which stream a path and an output mean, and which outputs are of this server."""

from __future__ import annotations

import pytest
from model.settings import BASE

from fastflv.config.endpoint import Endpoint
from fastflv.config.load import load_text
from fastflv.config.model.caster import CasterOutput
from fastflv.errors import ConfigValueError

CASTER = "stream_caster {{ enabled on; caster flv; listen 8936; output {}; }}"
SERVED = f"{BASE}\nvhost __defaultVhost__ {{ }}\nvhost a.example {{ }}\n"
NAMES = {
    ("rtmp://127.0.0.1/[app]/[stream]", "/live/x.flv"): ("live", "x"),
    ("rtmp://127.0.0.1/[app]/[stream]", "/live/x"): ("live", "x"),
    ("rtmp://127.0.0.1/[app]/[stream]", "/a/b/x.flv"): ("a/b", "x"),
    ("rtmp://127.0.0.1/[app]/[stream]", "/live/x.ts"): ("live", "x.ts"),
    ("rtmp://127.0.0.1/[app]/[stream]", "/x.flv"): None,
    ("rtmp://127.0.0.1/[app]/[stream]", "/live/"): None,
    ("rtmp://127.0.0.1/[app]/[stream]", "/live/.flv"): None,
    ("rtmp://127.0.0.1/live/[stream]", "/x.flv"): ("live", "x"),
    ("rtmp://127.0.0.1/cast/[app]/[stream]", "/live/x.flv"): ("cast/live", "x"),
    ("rtmp://127.0.0.1/[app]/cam-[stream]?vhost=a", "/live/1.flv"): ("live", "cam-1"),
    ("rtmp://127.0.0.1/live/livestream", "/"): ("live", "livestream"),
}


@pytest.mark.parametrize(("output", "path"), NAMES)
def test_a_path_names_the_stream_as_it_does_in_srs(output, path):
    assert CasterOutput.parse(output).names(path) == NAMES[output, path]


@pytest.mark.parametrize(
    ("text", "host", "port", "vhost"),
    [
        ("rtmp://127.0.0.1/[app]/[stream]", "127.0.0.1", 1935, "127.0.0.1"),
        ("rtmp://127.0.0.1:19350/[app]/[stream]?vhost=a", "127.0.0.1", 19350, "a"),
        ("rtmp://[::1]:1936/[app]/[stream]", "::1", 1936, "::1"),
    ],
)
def test_an_output_has_a_host_a_port_and_a_vhost(text, host, port, vhost):
    output = CasterOutput.parse(text)
    assert (output.host, output.port, output.vhost, str(output)) == (host, port, vhost, text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("http://127.0.0.1/[app]/[stream]", "write rtmp://127.0.0.1/"),
        ("rtmp:///[app]/[stream]", "write rtmp://127.0.0.1/"),
        ("rtmp://127.0.0.1:x/[app]/[stream]", "write rtmp://127.0.0.1/"),
        ("rtmp://127.0.0.1", "write rtmp://127.0.0.1/"),
        ("rtmp://127.0.0.1/[stream]", "an app and a stream"),
        ("rtmp://127.0.0.1/live/", "an app and a stream"),
        ("rtmp://127.0.0.1/[vhost]/[stream]", "no others"),
        ("rtmp://127.0.0.1/[app]/[seq]", "no others"),
    ],
)
def test_an_output_that_names_no_stream_is_refused_with_what_to_write(text, hint):
    with pytest.raises(ConfigValueError, match=hint) as refused:
        load_text(SERVED + CASTER.format(text), "a.conf")
    assert (refused.value.file, refused.value.line) == ("a.conf", 4)


@pytest.mark.parametrize(
    ("output", "hint"),
    [
        ("rtmp://192.0.2.1/[app]/[stream]", "write rtmp://127.0.0.1/"),
        ("rtmp://other.example/[app]/[stream]", "forwards to nobody"),
        ("rtmp://127.0.0.1:1936/[app]/[stream]", "write rtmp://127.0.0.1/"),
    ],
)
def test_an_output_on_another_server_is_refused(output, hint):
    with pytest.raises(ConfigValueError, match=hint):
        load_text(SERVED + CASTER.format(output), "a.conf")


def test_an_output_of_a_vhost_that_is_not_served_is_refused():
    text = f"{BASE} vhost a.example {{ }}" + CASTER.format("rtmp://127.0.0.1/[app]/[stream]")
    with pytest.raises(ConfigValueError, match=r"\?vhost=NAME"):
        load_text(text)
    load_text(text.replace("[stream]", "[stream]?vhost=a.example"))
    load_text(text.replace("127.0.0.1", "a.example"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "[::1]", "0.0.0.0", "a.example"])
def test_this_machine_and_its_vhosts_are_outputs(host):
    settings = load_text(SERVED + CASTER.format(f"rtmp://{host}/[app]/[stream]"))
    (caster,) = settings.stream_casters
    assert caster.listen == (Endpoint("", 8936),) and settings.notices == ()


def test_a_caster_that_is_off_or_of_another_kind_is_none():
    assert load_text(SERVED + "stream_caster { caster flv; }").stream_casters == ()
    assert load_text(SERVED + "stream_caster { enabled on; caster gb28181; }").stream_casters == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CASTER.format("rtmp://127.0.0.1/[app]/[stream]").replace("8936", "1935"), "both listen on 1935"),
        (CASTER.format("rtmp://127.0.0.1/[app]/[stream]") * 2, "both listen on 8936"),
        ("flv_tcp { enabled on; listen 1935; }", "both listen on 1935"),
        ("flv_tcp { enabled on; app /live; }", "without slashes"),
    ],
)
def test_a_publishing_port_that_cannot_be_is_refused(text, message):
    with pytest.raises(ConfigValueError, match=message):
        load_text(SERVED + text.replace("}stream", "}\nstream"))


def test_raw_flv_needs_the_default_vhost():
    with pytest.raises(ConfigValueError, match="add 'vhost __defaultVhost__"):
        load_text(f"{BASE} vhost a.example {{ }} flv_tcp {{ enabled on; }}")
