"""Our own samples and docs say what holds; SRS's samples load, whole ones where they are at hand."""

from __future__ import annotations

import dataclasses
import os
import re
from enum import Enum
from pathlib import Path

import pytest

from fastflv.config import feature
from fastflv.config.grammar import schema
from fastflv.config.load import load, load_text
from fastflv.config.model.auth import Auth
from fastflv.config.model.caster import FlvTcp, StreamCaster
from fastflv.config.model.dvr import Dvr
from fastflv.config.model.hls import Hls
from fastflv.config.model.play import Play
from fastflv.config.model.publish import Publish
from fastflv.config.model.remux import HttpRemux
from fastflv.config.model.server import Rtmp, Rtmps, Settings, Stats
from fastflv.config.model.timeshift import Timeshift
from fastflv.config.model.vhost import Vhost
from fastflv.config.model.webserver import ApiAuth, HttpApi, Https, HttpServer, RawApi
from fastflv.config.mount import ARGS, CONTAINERS, ENDINGS, parse_mounts
from fastflv.config.notice import NoticeKind
from fastflv.errors import ConfigError, ConfigNameError, ConfigSyntaxError, ConfigValueError
from fastflv.tools.cli import main

TOP = Path(__file__).parent.parent
FRAGMENTS = {"include.vhost.conf"}
OURS = TOP / "fastflv" / "config" / "samples"
SAMPLES = sorted(path.name for path in OURS.glob("*.conf"))


@pytest.fixture(autouse=True)
def at_the_top(monkeypatch):
    monkeypatch.chdir(TOP)


@pytest.mark.parametrize("name", [name for name in SAMPLES if name not in FRAGMENTS])
def test_a_sample_of_ours_loads_without_a_notice_and_says_what_it_is_for(name):
    assert load(str(OURS / name), environ={}, folder=str(OURS)).notices == ()
    first, second = (OURS / name).read_text().splitlines()[:2]
    assert first.startswith("# ") and len(first) > 20
    assert second


def test_there_is_a_sample_for_each_use():
    assert len(SAMPLES) >= 12
    for name in FRAGMENTS:
        with pytest.raises(ConfigValueError, match="no RTMP listener"):
            load(str(OURS / name), environ={}, folder=str(OURS))


def test_the_samples_do_what_their_names_say():
    def sample(name):
        return load(str(OURS / f"{name}.conf"), environ={}, folder=str(OURS))

    assert sample("realtime.flv").vhost("x").play.mw_latency == 0
    assert sample("low.latency").vhost("x").play.mw_latency == 0
    assert sample("rtmps").rtmps is not None
    assert sample("auth.token").vhost("x").auth.enabled and sample("auth.signed").vhost("x").auth.tencent
    assert sample("timeshift").vhost("x").timeshift == Timeshift(120, 256 << 20)
    assert sample("http.api.auth").http_api.auth.password == "change me; please"
    assert sample("http.api.one.port").http_api.listen == sample("http.api.one.port").http_server.listen
    assert len(sample("listen.several").listen) == 3
    assert len(sample("several.mounts").vhost("x").http_remux.mounts) == 4
    everything = sample("all.outputs").vhost("x")
    mounts = parse_mounts(everything.http_remux.mounts, everything.name)
    assert {mount.container for mount in mounts} == set(CONTAINERS.values())
    assert any(mount.match("/flv/live/name") for mount in mounts) and everything.hls.enabled
    assert (sample("hls").vhost("x").hls.on_disk, sample("hls.disk").vhost("x").hls.on_disk) == (False, True)
    assert sample("https").http_server.https.enabled and sample("https").http_api.https.enabled
    assert len(sample("https.names").http_server.https.pairs) == 2
    assert sample("behind.proxy").rtmp.proxy_protocol and len(sample("behind.proxy").trusted_proxies) == 2
    assert len(sample("push.flv").stream_casters) == 1 and sample("push.flv").flv_tcp.enabled
    assert sample("vhosts").vhost("elsewhere.example.com") is None
    assert len(sample("forward").vhost("x").forward.destination) == 2
    assert sample("directory").vhost("x").cluster.directory.startswith("redis://")
    assert sample("include").vhost("include.example.com").http_remux.enabled
    assert (
        sample("reconnect").vhost("x").publish.grace,
        sample("reconnect").vhost("x").http_remux.on_missing,
    ) == (30, 10)


def test_the_command_writes_each_sample_and_lists_them(capsys):
    assert main(["config", "sample"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == [name.removesuffix(".conf") for name in SAMPLES]
    for name in SAMPLES:
        assert main(["config", "sample", name.removesuffix(".conf")]) == 0
        assert capsys.readouterr().out == (OURS / name).read_text()


def test_a_sample_that_there_is_not_is_answered_by_the_nearest(capsys):
    assert main(["config", "sample", "http.flv.life"]) == 1
    assert "is it http.flv.live?" in capsys.readouterr().err


def test_the_samples_that_the_docs_name_are_there():
    for path in (TOP / "README.md", *(TOP / "docs").glob("*.md")):
        for name in re.findall(r"config sample ([a-z][\w.]+)|sample `([\w.]+)`", path.read_text()):
            assert f"{name[0] or name[1]}.conf" in SAMPLES, (path, name)


# docs/configure.md

CONFIGURE = (TOP / "docs" / "configure.md").read_text()
TABLES = {
    "At the top of the file": (Settings, ""),
    "rtmp": (Rtmp, "rtmp"),
    "rtmps": (Rtmps, "rtmps"),
    "http_server": (HttpServer, "http_server"),
    "http_server https": (Https, "http_server.https"),
    "http_api": (HttpApi, "http_api"),
    "http_api auth": (ApiAuth, "http_api.auth"),
    "http_api raw_api": (RawApi, "http_api.raw_api"),
    "stream_caster": (StreamCaster, "stream_caster"),
    "flv_tcp": (FlvTcp, "flv_tcp"),
    "stats": (Stats, "stats"),
    "vhost NAME": (Vhost, "vhost"),
    "play": (Play, "vhost.play"),
    "publish": (Publish, "vhost.publish"),
    "dvr": (Dvr, "vhost.dvr"),
    "http_remux": (HttpRemux, "vhost.http_remux"),
    "hls": (Hls, "vhost.hls"),
    "timeshift": (Timeshift, "vhost.timeshift"),
    "auth": (Auth, "vhost.auth"),
}
DOCUMENTED_OTHERWISE = {
    "name": "the vhost's argument",
    "source": "no directive",
    "notices": "no directive",
    "rtmps": "a block",
    "stream_casters": "blocks",
    "mounts": "called mount",
    "on_disk": "hls_path is written",
}


def rows(heading):
    """(name, default, text) of the table under *heading*."""
    part = re.split(rf"^##+ {re.escape(heading)}$", CONFIGURE, flags=re.MULTILINE)[1]
    part = re.split(r"^##", part, flags=re.MULTILINE)[0]
    return re.findall(r"^\| `(\w+)` \| ([^|]*) \| ?([^|]*) ?\|$", part, flags=re.MULTILINE)


def shown(default):
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, Enum):
        return default.value
    if isinstance(default, tuple):
        return " ".join(map(str, default)) or "none"
    if isinstance(default, float):
        return f"{default:g}"
    return "none" if default in (None, "") else str(default)


@pytest.mark.parametrize("heading", TABLES)
def test_the_docs_give_every_directive_and_its_default(heading):
    kind, _ = TABLES[heading]
    documented = {name: default for name, default, _ in rows(heading)}
    for each in dataclasses.fields(kind):
        if each.default is not dataclasses.MISSING and each.name not in DOCUMENTED_OTHERWISE:
            default = "auto" if each.name == "mw_latency" else shown(each.default)
            assert documented.get(each.name) == default, each.name


@pytest.mark.parametrize("heading", TABLES)
def test_the_docs_give_no_directive_that_does_not_exist_and_mark_our_own(heading):
    _, path = TABLES[heading]
    known = dict.fromkeys(schema.names())
    for name, _, text in rows(heading):
        full = f"{path}.{name}" if path else name
        assert (path, name) in known or path == "http_server.https"
        assert text.startswith("**fastflv.**") == (full in schema.EXTENSIONS), full


def test_the_docs_name_every_feature_that_is_warned_about():
    part = CONFIGURE.split("## What is warned about")[1].split("\n## ")[0]
    for row in feature.FEATURES:
        assert f"`{row.name}`" in part, row.name


def test_the_docs_name_what_a_mount_may_hold():
    part = re.split("^### mounts$", CONFIGURE, flags=re.MULTILINE)[1].split("\n### ")[0]
    for ending in ENDINGS:
        assert f"`{ending}`" in part
    for name, (values, containers) in ARGS.items():
        assert f"`{name}={values[0]}`" in part and all(f"`{value}`" in part for value in values[1:])
        assert " and ".join(container.upper() for container in containers) in part
    [sample] = re.findall(r"```\n(.*?)```", part, re.DOTALL)
    assert load_text(f"{MINIMAL} vhost a {{ {sample} }}").notices == ()


# Forms that SRS's samples have, in our own words.

MINIMAL = "listen 1935; max_connections 1000; daemon off; srs_log_tank console;\n"
FORMS = {
    "a main file with comments between, a block without a blank, and WebRTC": (
        "# the main file\n\nlisten              1935;\n#srs_log_tank        file;\ndaemon              on;\n"
        "rtc_server {\n    enabled on;\n    listen 8000; # UDP\n    candidate $CANDIDATE;\n}\n"
        "vhost __defaultVhost__ {\n    hls {\n        enabled on;\n    }\n    rtc {\n        enabled on;\n"
        "        rtmp_to_rtc off;\n    }\n\n    play{\n        gop_cache_max_frames 2500;\n    }\n}\n",
        {"rtc"},
    ),
    "every spelling of the first version at once": (
        MINIMAL + "http_stream { enabled on; listen 8080; dir ./html; }\n"
        "http_api { enabled on; listen 1985; raw_api { enabled on; allow_query on; allow_update on; } }\n"
        "vhost __defaultVhost__ {\n http { enabled on; mount [vhost]/hls; dir ./html/hls; }\n refer a.com b.io;\n"
        " refer_publish a.com;\n refer_play b.io;\n publish_1stpkt_timeout  20000;\n mr { enabled off; latency 350; }\n"
        " mode remote;\n origin 10.0.0.1:1935 origin;\n vhost same.example.com;\n forward 10.0.0.2:1936;\n atc on;\n"
        " send_min_interval 10.0;\n}\n",
        {"raw_api allow_query", "raw_api allow_update"},
    ),
    "filters in quotes, empty blocks, engines and an ingest": (
        MINIMAL
        + "max_connections 2000;\nvhost a {\n chunk_size 60000;\n gop_cache on;\n transcode {\n  enabled on;\n"
        "  ffmpeg ./ffmpeg;\n  engine ld {\n   enabled on;\n   vfilter {\n    i ./logo.png;\n"
        "    filter_complex 'split [a][b]; [b] crop=iw:ih/2:0:0, vflip [c]; [a][c] overlay=0:H/2';\n   }\n   vparams {\n   }\n"
        "   aparams { profile:a aac_low; }\n   output rtmp://127.0.0.1:[port]/[app]/[stream]_[engine]?vhost=[vhost];\n  }\n"
        "  engine sd { enabled on; }\n }\n ingest {\n  enabled on;\n  input { type stream; url rtsp://u:p@10.0.0.1:554/a?b=c; }\n"
        "  engine { enabled on; perfile { re; rtsp_transport tcp; } }\n }\n}\n",
        {"transcode", "ingest"},
    ),
    "a caster with an old host beside its sip": (
        MINIMAL
        + "stream_caster {\n enabled on;\n caster gb28181;\n output rtmp://127.0.0.1/live/[stream];\n listen 9000;\n"
        " host $CANDIDATE;\n sip { enabled on; listen 5060; timeout 2.1; reinvite 1.2; }\n}\n",
        {"gb28181"},
    ),
    "a heartbeat with a fraction and quotes": (
        MINIMAL
        + 'heartbeat {\n enabled on;\n interval 9.3;\n url http://127.0.0.1/x;\n device_id "my device";\n}\n',
        set(),
    ),
    "two families on one port": ("listen 1935 [::]:1935;\n", set()),
    "server and API on one port, with TLS": (
        MINIMAL
        + "http_server { enabled on; listen 8080; https { enabled on; listen 8088; key k; cert c; } }\n"
        "http_api { enabled on; listen 8080; https { enabled on; listen 8088; key k; cert c; } }\n",
        set(),
    ),
    "srt with a second, empty vhost": (
        MINIMAL + "srt_server { enabled on; listen 10080; maxbw 1000000000; tlpktdrop off; }\n"
        "vhost __defaultVhost__ { srt { enabled on; srt_to_rtmp on; } }\nvhost srt.example.com {\n}\n",
        {"srt"},
    ),
    "play, four times": (
        MINIMAL + "vhost a { play { }\n play { atc on; }\n play { mix_correct on; } play { } }",
        set(),
    ),
    "an idle limit of many seconds": (
        MINIMAL + "vhost a { publish { kickoff_for_idle 60000; } }",
        set(),
    ),
}


@pytest.mark.parametrize(("text", "never"), FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_form_of_srs_loads_and_what_is_out_of_scope_is_named(text, never, newline):
    settings = load_text(text.replace("\n", newline))
    assert {notice.feature for notice in settings.notices if notice.kind is NoticeKind.NEVER} == never


def test_every_spelling_of_the_first_version_arrives_in_its_block():
    settings = load_text(FORMS["every spelling of the first version at once"][0])
    vhost = settings.vhost("x")
    assert settings.http_server.dir == "./html"
    assert (vhost.http_static.mount, vhost.refer.all, vhost.refer.play) == (
        "[vhost]/hls",
        ("a.com", "b.io"),
        ("b.io",),
    )
    assert (vhost.publish.firstpkt_timeout, vhost.publish.mr) == (20_000, False)
    assert (vhost.cluster.origin, vhost.cluster.vhost) == (("10.0.0.1:1935", "origin"), "same.example.com")
    assert vhost.forward.enabled and vhost.forward.destination == ("10.0.0.2:1936",)
    assert vhost.play.atc and vhost.play.send_min_interval == 10.0


# SRS's own samples, where FASTFLV_SRS_CONF names the directory that holds them.

FOLDER = os.environ.get("FASTFLV_SRS_CONF", "")
SRS_SAMPLES = sorted(path.name for path in Path(FOLDER).glob("*.conf")) if FOLDER else []
REFUSED = {
    "full.conf": (ConfigValueError, "never use"),
    "include.vhost.conf": (ConfigValueError, "no RTMP listener"),
    "hls.edge.conf": (ConfigNameError, "nginx"),
    "nginx.proxy.conf": (ConfigError, ""),
}
OUT_OF_SCOPE = {
    "rtc": "clion clion-ingest console docker force.daemon gb28181 gb28181-without-sip http.api.dedicated"
    " http.api.one.port http.api.one.port2 https.docker https.rtc https.rtmp2rtc https.srs log-file mp3.rtc"
    " origin1-for-proxy origin2-for-proxy origin3-for-proxy prometheus push.flv push.gb28181 push.mpegts.over.udp"
    " regression-test regression-test-for-clion rtc rtc.tcp.only rtc.tcp.udp rtc2rtmp rtmp2rtc srs srt2rtc srt2ts vm",
    "srt": "clion clion-srt hevc.flv hevc.ts origin1-for-proxy origin2-for-proxy origin3-for-proxy srt srt2rtc srt2ts",
    "ingest": "clion-ingest demo ingest ingest.rtsp regression-test regression-test-for-clion transform.edge",
    "transcode": "demo ffmpeg.transcode transcode2hls.audio.only",
    "gb28181": "gb28181 gb28181-without-sip push.gb28181 regression-test regression-test-for-clion",
    "mpegts_over_udp": "push.mpegts.over.udp",
    "dash": "dash",
    "hds": "hds",
    "exec": "exec",
    "raw_api allow_query": "compatible",
    "raw_api allow_update": "compatible",
}


@pytest.mark.skipif(not FOLDER, reason="FASTFLV_SRS_CONF names no directory with SRS's samples")
@pytest.mark.parametrize("name", SRS_SAMPLES)
def test_a_sample_of_srs_loads_or_is_refused_as_it_should(name, monkeypatch):
    monkeypatch.chdir(Path(FOLDER).parent)
    path = f"{Path(FOLDER).name}/{name}"
    if name in REFUSED:
        kind, words = REFUSED[name]
        with pytest.raises(kind) as caught:
            load(path, environ={})
        assert words in str(caught.value)
        assert not (name == "full.conf" and isinstance(caught.value, ConfigSyntaxError))
        return
    settings = load(path, environ={})
    never = {notice.feature for notice in settings.notices if notice.kind is NoticeKind.NEVER}
    assert never == {
        each for each, names in OUT_OF_SCOPE.items() if name.removesuffix(".conf") in names.split()
    }
    assert [notice for notice in settings.notices if notice.kind is NoticeKind.ADVICE] == []
    features = [notice.feature for notice in settings.notices if notice.feature]
    assert len(features) == len(set(features))
