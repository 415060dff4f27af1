"""One good configuration, damaged in many ways: `-t` names the place of each damage and nothing else.

A row is the text that is damaged, the text in its place, and words of the message. `^` stands before the word that the
message is to point at, and is taken out; several of them are several problems.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tlsfiles import make_pair

from fastflv import limits
from fastflv.tools.cli import main

GOOD = """\
# A comment.
listen              1935;
max_connections     100;
daemon              off;
srs_log_tank        console;
trusted_proxies     10.0.0.0/8 192.0.2.1;
http_server {
    enabled         on;
    listen          8080;
    dir             ./html;
    crossdomain     on;
}
http_api {
    enabled         on;
    listen          1985;
    auth {
        enabled     on;
        username    admin;
        password    secret;
    }
}
stream_caster {
    enabled         on;
    caster          flv;
    output          rtmp://127.0.0.1/[app]/[stream];
    listen          8936;
}
vhost __defaultVhost__ {
    tcp_nodelay     on;
    play {
        gop_cache   on;
        mw_latency  350;
        lag_drop    1000;
        lag_jump    5000;
    }
    publish {
        normal_timeout 5000;
    }
    http_remux {
        enabled     on;
        mount       [vhost]/[app]/[stream].flv;
        mount       [vhost]/[app]/[stream].ts;
    }
    security {
        enabled     on;
        allow       play all;
        deny        publish 10.0.0.0/8;
    }
    hls {
        enabled     on;
        hls_fragment 10;
        hls_m3u8_file [app]/[stream].m3u8;
    }
}
vhost "b.example.com" {
    refer {
        enabled     on;
        play        example.com;
    }
}
"""

DAMAGES: dict[str, tuple[str, str, str]] = {
    # The grammar.
    "a ; that is missing": ("1935;", "1935", "the line ends inside the statement 'listen'; end it with ';'"),
    "a ; that is missing in a block": ("listen          8080;", "^listen          8080", "inside the statement 'listen'"),
    "a ; that is missing before a }": ("play        example.com;\n    }", "^play        example.com }", "'}' inside the statement 'play'"),
    "a ; that is missing at the end": ('play        example.com;\n    }\n}\n', "play x;\n}\n}\n^utc_time on", "the file ends inside the statement"),
    "a name without a ;": ("daemon              off;", "^daemon", "the line ends inside the statement 'daemon'"),
    "a { on the next line": ("http_server {", "^http_server\n{", "put the '{' on this line"),
    "a { behind a comment": ("http_api {", "^http_api # the API\n# of operators\n{", "put the '{' on this line"),
    "a value on the next line": ("8936;\n", "8936;\n    ^output\n    ^8937;\n", "inside the statement 'output' & unknown directive '8937' in stream_caster"),
    "a } that is missing at the end": ("play        example.com;\n    }\n}", "play        example.com;\n    }", "the block 'vhost' is never closed; add a '}'"),
    "a } that is missing inside": ("lag_jump    5000;\n    }", "lag_jump    5000;", "never closed; add a '}'; it may be missing behind 'play' of line 30: the '}' of line 53"),
    "a } too many": ("hls_m3u8_file [app]/[stream].m3u8;\n    }\n}", "hls_m3u8_file [app]/[stream].m3u8;\n    }\n}\n^}", "'}' closes nothing; remove it"),
    "a ; too many": ("console;", "console; ^;", "';' without a directive before it; remove it"),
    "a block without a name": ("# A comment.", "^{ a b; }", "'{' without a directive before it"),
    "an empty name": ("# A comment.", '^"" ;', "';' without a directive before it"),
    "a quote that is never closed": ('vhost "b.example.com" {', 'vhost ^"b.example.com {', 'no closing "; close it on the same line'),
    "a single quote that is never closed": ("./html;", "^'./html;", "a quoted word has no closing '"),
    "a word right after a quote": ("./html;", '"./html"^x;', "'x' right after a closing quote; put a blank or ';' between"),
    "a comment inside of a statement": ("max_connections     100;", "^max_connections # 100;\n", "the line ends inside the statement 'max_connections'"),
    "an include of nothing": ("# A comment.", "^include;", "include takes one or more files; write 'include path/to/file.conf;'"),
    "an include with a block": ("# A comment.", "^include a.conf { }", "include takes one or more files"),
    "a file that is not there": ("# A comment.", "include ^gone.conf;", "cannot read gone.conf: No such file or directory; the path is relative to"),
    "one file of three that is not there": ("# A comment.", "include good.inc ^gone.conf good.inc;", "cannot read gone.conf"),
    "a directory": ("# A comment.", "include ^folder;", "cannot read folder: Is a directory"),
    "a file that includes itself": ("# A comment.", "include ^a.conf;", "a.conf includes itself; remove this include"),
    "two spellings of itself": ("# A comment.", "include ^folder/.././a.conf;", "includes itself"),
    "a mark at the start": ("# A comment.", "^\ufeff# A comment.", "byte order mark; save it as UTF-8 without one"),
    "a NUL byte": ("100;", "100;^\0", "a NUL byte stands in the file; save it as plain UTF-8 text"),
    "bytes of another encoding": ("./html;", "^./\udce4\udcf6;", "bytes that are not UTF-8; save the file as UTF-8"),
    # Names.
    "a letter too many": ("listen              1935;", "^lissten              1935;", "unknown directive 'lissten' at the top of the file; did you mean 'listen'?"),
    "a letter that is missing": ("max_connections", "^max_connection", "did you mean 'max_connections'?"),
    "letters that are swapped": ("crossdomain", "^crossdoamin", "unknown directive 'crossdoamin' in http_server; did you mean 'crossdomain'?"),
    "capital letters": ("gop_cache ", "^GOP_CACHE ", "in vhost.play; did you mean 'gop_cache'?"),
    "a hyphen": ("http_remux {", "^http-remux {", "unknown directive 'http-remux' in vhost; did you mean 'http_remux'?"),
    "a name of a block elsewhere": ("tcp_nodelay     on;", "^gop_cache_max_bytes 5;", "it belongs in vhost.play"),
    "a name of the top of the file": ("tcp_nodelay     on;", "^srs_log_file a;", "it belongs at the top of the file"),
    "a block in the wrong place": ("tcp_nodelay     on;", "^heartbeat { }", "it belongs at the top of the file"),
    "a near name of another block": ("tcp_nodelay     on;", "^hls_fragmnt 5;", "did you mean 'hls_fragment', which belongs in vhost.hls?"),
    "a name that nobody has": ("normal_timeout", "^zzz", "unknown directive 'zzz' in vhost.publish; allowed are backup_suffix, failback"),
    "a name that nobody has in a long block": ("tcp_nodelay", "^qqqq", "unknown directive 'qqqq' in vhost; docs/configure.md lists"),
    "a word of nginx": ("# A comment.", "^worker_processes 4;", "this looks like an nginx file"),
    "a word of the documents": ("tcp_nodelay     on;", "^realtime on;", "write 'min_latency on;' in the vhost"),
    "an invisible character": ("dir ", "^d\u200bir ", "unknown directive 'd\\u200bir' in http_server; there is a character U+200B in it"),
    "a blank that is none": ("    crossdomain     on;", "^\u00a0\u00a0crossdomain on;", "there is a character U+00A0 in it; type the word anew"),
    "a block for a value": ("daemon              off;", "^daemon { }", "daemon takes values, not a block; write 'daemon …;'"),
    "a value for a block": ("    publish {\n        normal_timeout 5000;\n    }", "    ^publish on;", "publish is a block; write 'publish { … }'"),
    "a second typo of one kind": ("enabled         on;\n    listen          8080;", "^enabld on;\n    ^listn 8080;", "did you mean 'enabled'? & did you mean 'listen'?"),
    # Values.
    "a unit of time": ("mw_latency  350;", "mw_latency  ^350ms;", "vhost.play.mw_latency is not a whole number: '350ms'; leave the unit out"),
    "a word for a number": ("max_connections     100;", "max_connections     ^many;", "write a number from 1"),
    "a number below its least": ("max_connections     100;", "max_connections     ^0;", "max_connections is 0, and must be at least 1; write a number from 1"),
    "a negative number": ("normal_timeout 5000;", "normal_timeout ^-1;", "must be at least 1; write a number from 1"),
    "a number above its most": ("100;", "100; fanout_threads ^100000;", "may be at most"),
    "a fraction of a millisecond": ("mw_latency  350;", "mw_latency  ^3.5;", "is not a whole number: '3.5'"),
    "a length that is not a number": ("hls_fragment 10;", "hls_fragment ^ten;", "vhost.hls.hls_fragment is not a number: 'ten'"),
    "a length of nothing": ("hls_fragment 10;", "hls_fragment ^0;", "must be at least 0.01"),
    "two lengths, the first wrong": ("hls_fragment 10;", "hls_fragment ^x;hls_fragment 10;", "is not a number"),
    "a choice that there is not": ("gop_cache   on;", "time_jitter ^none;", "vhost.play.time_jitter cannot be 'none'; write one of full, zero, off"),
    "a start that there is not": ("gop_cache   on;", "start ^fast;", "write one of compact, gop, key, live"),
    "a level of the log": ("console;", "console; srs_log_level ^loud;", "write one of verbose, info, trace, warn, error"),
    "a size with a wrong unit": ("tcp_nodelay     on;", "timeshift { max_bytes ^5t; }", "is no size: '5t'; write bytes, or a number and k, m or g"),
    "a port beyond the last": ("listen              1935;", "listen              ^70000;", "listen cannot be '70000'"),
    "a port that is a word": ("listen          8080;", "listen          ^http;", "http_server.listen cannot be 'http'; write a port"),
    "a name for an address": ("listen          8080;", "listen          ^localhost:8080;", "is not an IP address"),
    "the second of two endpoints": ("listen              1935;", "listen 1935 ^1936x;", "listen cannot be '1936x'"),
    "an address without brackets": ("listen          1985;", "listen          ^::1:1985;", "in brackets"),
    "a proxy that is a name": ("10.0.0.0/8 192.0.2.1;", "10.0.0.0/8 ^proxy.local;", "trusted_proxies cannot be 'proxy.local'; write IP addresses and networks"),
    "a mask too long": ("10.0.0.0/8 192.0.2.1;", "^10.0.0.0/40 192.0.2.1;", "trusted_proxies cannot be '10.0.0.0/40'"),
    "a rule without peers": ("allow       play all;", "^allow       play;", "write 'allow publish|play|record all|ADDRESS|NETWORK;'"),
    "a rule for what nobody does": ("deny        publish 10.0.0.0/8;", "^deny        watch all;", "vhost.security cannot have 'deny watch all'"),
    "a rule for a name": ("deny        publish 10.0.0.0/8;", "^deny        publish host.name;", "write 'deny publish|play|record"),
    "two rules": ("allow       play all;\n        deny        publish 10.0.0.0/8;", "^allow play;\n        ^deny all;", "cannot have 'allow play' & cannot have 'deny all'"),
    "a mount without an ending": ("[vhost]/[app]/[stream].ts;", "^[vhost]/[app]/[stream];", "end it with one of .flv, .ts, .aac, .mp3"),
    "a mount with an unknown variable": ("[vhost]/[app]/[stream].ts;", "^[vhost]/[ap]/[stream].ts;", "[ap] means nothing here; write [vhost], [app] or [stream]"),
    "the second mount of a statement": ("[vhost]/[app]/[stream].ts;", "[vhost]/[app]/[stream].ts ^/[stream].mp4;", "end it with one of .flv"),
    "an argument that no mount has": ("[vhost]/[app]/[stream].ts;", "^[vhost]/[app]/[stream].ts?fast=1;", "'fast' is no argument of a mount"),
    "a caster to no URL": ("output          rtmp://127.0.0.1/[app]/[stream];", "output          ^127.0.0.1;", "stream_caster.output cannot be '127.0.0.1'; write rtmp://127.0.0.1/[app]/[stream]"),
    "a caster to another server": ("rtmp://127.0.0.1/[app]/[stream];", "^rtmp://192.0.2.9/[app]/[stream];", "is no stream of this server"),
    "no password": ("        password    secret;\n", "", "http_api.auth is on without a username and a password"),
    "a vhost without a name": ('vhost "b.example.com" {', "^vhost {", "a vhost has one name; write 'vhost NAME { … }'"),
    "a vhost of two names": ('vhost "b.example.com" {', "^vhost b.example.com c.example.com {", "a vhost has one name"),
    "pacing below the rate": ("gop_cache   on;", "pacing ^50;", "percent of the stream's rate"),
    "steps that do not rise": ("lag_drop    1000;", "lag_drop    ^9000;", "makes lag_drop 9000 more than lag_jump 5000"),
    # What values mean together.
    "RTMP on the port of HTTP": ("listen          8080;", "listen          ^1935;", "http_server and listen (a.conf:2) both listen on 1935; give one another port"),
    "two ports taken": (
        "crossdomain     on;\n}\nhttp_api {\n    enabled         on;\n    listen          1985;",
        "https { enabled on; listen ^1935; key key.pem; cert cert.pem; }\n}\nhttp_api {\n    enabled on;\n    listen 1985 ^1935;",
        "http_server.https and listen (a.conf:2) & http_api and listen (a.conf:2) both listen on 1935",
    ),
    "the caster on the port of the API": ("listen          8936;", "listen          ^1985;", "http_api (a.conf:15) both listen on 1985"),
    "RTMPS on the port of RTMP": ("# A comment.", "rtmps { enabled on; listen ^1935; key key.pem; cert cert.pem; }", "both listen on 1935"),
    "two mounts for one URL": ("[vhost]/[app]/[stream].ts;", "^[vhost]/[app]/[stream].flv?only=audio;", "(a.conf:41) both take"),
    "a mount below the API": ("mount       [vhost]/[app]/[stream].ts;", "mount /[stream].flv?hevc=legacy ^/[stream].flv?only=key;", "both take"),
    "a playlist with the URL of a mount": ("hls_m3u8_file [app]/[stream].m3u8;", "hls_m3u8_file ^[app]/[stream].flv;", "both take /"),
    "two http_remux": ("    security {", "    ^http_remux { enabled on; }\n    security {", "has more than one http_remux; write all mounts into one block"),
    "two ingests of one name": ("tcp_nodelay     on;", "^ingest a { } ingest a { }", "has two ingests called 'a'; give each its own id"),
    "proxies that nobody trusts": ("trusted_proxies     10.0.0.0/8 192.0.2.1;", "rtmp { proxy_protocol ^on; }", "is on, but no proxy is trusted; write 'trusted_proxies"),
    "files of another vhost": ("tcp_nodelay     on;", "http_static { enabled on; mount ^other.host/; }", "is not a path of vhost __defaultVhost__; write '[vhost]/'"),
    "a daemon with a parent": ("daemon              off;", "daemon on; in_docker off; ^asprocess on;", "asprocess and daemon exclude each other; add 'daemon off;'"),
    "forward and an idle limit": ("normal_timeout 5000;\n    }", "^kickoff_for_idle 5;\n    }\n    forward { enabled on; destination 127.0.0.1:19350; }", "exclude each other; turn one of them off"),
    "https where http is off": ("enabled         on;\n    listen          1985;", "enabled off;\n    ^https { enabled on; key key.pem; cert cert.pem; }", "http_api.https is on, but http_api is off; enable http_api"),
    "only the http ports shared": (
        "crossdomain     on;\n}\nhttp_api {\n    enabled         on;\n    listen          1985;",
        "https { enabled on; listen 8443; key key.pem; cert cert.pem; }\n}\nhttp_api {\n    enabled on;\n    listen 8080;\n"
        "    https { enabled on; ^listen 444; key key.pem; cert cert.pem; }",
        "share their http or their https ports, but not both; let both listens be equal, or none",
    ),
    "documentation": ("# A comment.", "^is_full on;", "never use a.conf: it documents, it does not run"),
    "https where both are off": (
        "enabled         on;\n    listen          8080;\n    dir             ./html;\n    crossdomain     on;\n}\nhttp_api {\n    enabled         on;",
        "^https { enabled on; key key.pem; cert cert.pem; }\n}\nhttp_api {\n    ^https { enabled on; key key.pem; cert cert.pem; }",
        "enable http_server & enable http_api",
    ),
    # Tokens, hooks and pages.
    "auth without a key": ("tcp_nodelay     on;", "auth { enabled ^on; }", "wants a proof of 'publish' and 'play', but there is no key for it; write 'key SECRET|FILE;'"),
    "auth of one action without a key": ("tcp_nodelay     on;", "auth { enabled on; apply ^publish play; tencent play abc; }", "wants a proof of 'publish', but there is no key for it"),
    "two actions that there are not": ("tcp_nodelay     on;", "auth { apply play ^watch ^listen; algorithms ^none HS256; }", "cannot be 'watch' & cannot be 'listen' & vhost.auth.algorithms cannot be 'none'"),
    "a signing without its action": ("tcp_nodelay     on;", "auth { enabled on; tencent ^abc; aliyun ^D play abc; aliyun A publish abc; }", "tencent names no action and key; write 'tencent publish|play KEY;' & aliyun names no form"),
    "two forms of a signing": ("tcp_nodelay     on;", "auth { aliyun A play abc; aliyun ^B publish abc; }", "vhost.auth.aliyun has two forms"),
    "three bad keys": (
        "tcp_nodelay     on;",
        "auth { enabled on; key ^short ./key.txt ^./gone.pem; key ^./key.pem; }",
        "the secret has 5 bytes & cannot read ./gone.pem: no such file or directory & has a private key, which the server must not have",
    ),
    "two bad sets of keys": ("tcp_nodelay     on;", "auth { enabled on; jwks ^./gone.json ^http:// ^good.inc; }", "cannot read ./gone.json & 'http://' is no URL & good.inc"),
    "an algorithm that a key is not for": ("tcp_nodelay     on;", "auth { enabled on; algorithms ^ES256; key ./key.txt; }", "leaves out HS256, which a key is for; add HS256"),
    "hooks that are no URLs": (
        "tcp_nodelay     on;",
        "http_hooks { enabled on; on_play http://127.0.0.1:85/ok ^127.0.0.1:85; on_stop ^ftp://127.0.0.1/; }",
        "on_play '127.0.0.1:85' is no URL & on_stop 'ftp://127.0.0.1/' is no URL of the form http://HOST:PORT/PATH",
    ),
    "a registry that is no URL": ("# A comment.", "heartbeat { enabled on; url ^registry; }", "heartbeat.url 'registry' is no URL"),
    "pages that are none": ("play        example.com;", "all ^/x example.com ^?; play ^:80;", "'/x' is no site & '?' is no site & vhost.refer.play cannot be read: ':80' is no site; write a host as example.com"),
    "faults of every step": (
        "    tcp_nodelay     on;\n    play {\n        gop_cache   on;",
        "    http_hooks { enabled on; on_play ^x; }\n    play {\n        start ^fast;\n        ^gop_cach on;",
        "'x' is no URL & write one of compact & did you mean 'gop_cache'",
    ),
    # Certificates.
    "a certificate that is not there": ("crossdomain     on;", "https { enabled on; key key.pem; cert ^none.pem; }", "http_server.https: certificate file none.pem does not exist"),
    "a key that is not there": ("crossdomain     on;", "https { enabled on; key ^none.pem; cert cert.pem; }", "key file none.pem does not exist"),
    "a certificate that is none": ("crossdomain     on;", "https { enabled on; key key.pem; cert ^a.conf; }", "holds no certificate"),
    "the second pair": ("crossdomain     on;", "https { enabled on; key key.pem key.pem; cert cert.pem ^none.pem; }", "none.pem does not exist"),
    "two certificates and a key": ("crossdomain     on;", "https { enabled on; key key.pem; cert ^cert.pem cert.pem; }", "has 2 certificates and 1 key; write as many"),
    # Several at once.
    "one of each kind": (
        "listen              1935;\nmax_connections     100;\ndaemon              off;",
        "^listen 1935\nmax_connections ^x;\n^deamon off;\ninclude ^gone;",
        "inside the statement & not a whole number & did you mean 'daemon'? & cannot read gone",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the damaged files stand, with a certificate and a file to include."""
    folder = tmp_path_factory.mktemp("damaged")
    make_pair(folder)
    (folder / "good.inc").write_text("utc_time on;")
    (folder / "key.txt").write_text("a secret of more than thirty-two bytes")
    (folder / "folder").mkdir()
    return folder


def damaged(old: str, new: str) -> tuple[str, list[tuple[int, int]]]:
    """The text with *new* in the place of *old*, and the places of the marks in it."""
    assert GOOD.count(old) >= 1
    text = GOOD.replace(old, new, 1)
    if "^" not in new:
        return text, []
    places = []
    while "^" in text:
        before, _, after = text.partition("^")
        places.append((before.count("\n") + 1, len(before) - before.rfind("\n")))
        text = before + after
    return text, places


UNMARKED = {
    "a ; that is missing": [(2, 1)],
    "a } that is missing at the end": [(55, 1)],
    "a } that is missing inside": [(28, 1)],
    "no password": [(17, 21)],
}
"Damages by what is not there, and the places that the message points at."


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damage_is_reported_at_its_place_and_nothing_else_is(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    old, new, words = DAMAGES[name]
    text, places = damaged(old, new)
    (folder / "a.conf").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert main(["-t", "-c", "a.conf"]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if ": warning: " not in line]
    found = [re.match(r"fastflv: a\.conf:(\d+):(\d+): .+", line) for line in lines]
    assert all(found), lines
    assert [(int(each[1]), int(each[2])) for each in found if each] == (UNMARKED.get(name) or places), lines
    for line, each in zip(lines, words.split(" & "), strict=True):
        assert each in line


def test_there_are_enough_damages_and_the_undamaged_file_is_good(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(DAMAGES) >= 100
    monkeypatch.chdir(folder)
    for newline in ("\n", "\r\n"):
        (folder / "a.conf").write_bytes(GOOD.replace("\n", newline).encode())
        assert main(["-t", "-c", "a.conf"]) == 0
        assert capsys.readouterr().err == "the configuration is good\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff\xfel\0i\0s\0t\0e\0n\0", "a.conf:1:1: the file is in UTF-16; save it as UTF-8"),
        (b"", "a.conf: the configuration is empty; it needs at least 'listen 1935;'"),
        (b"# nothing\n", "a.conf: the configuration is empty"),
        (b"}" * 5000, "a.conf:1:1: '}' closes nothing"),
        (b"{" * 5000, "blocks nest deeper than 32"),
        (bytes(range(256)) * 40, "a NUL byte"),
        (b"listen 1935;\r\n\tpid x\r\n", "a.conf:2:2: the line ends inside the statement 'pid'"),
    ],
    ids=["UTF-16", "nothing", "comments", "closing", "opening", "binary", "CRLF"],
)
def test_what_is_hardly_a_configuration_is_refused_in_sentences(
    data: bytes, words: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    (folder / "a.conf").write_bytes(data)
    assert main(["-t", "-c", "a.conf"]) == 1
    said = capsys.readouterr().err
    assert words in said and "Traceback" not in said
    assert len(said.splitlines()) <= limits.CONFIG_PROBLEMS_MAX + 1


def test_the_findings_are_json_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    (folder / "a.conf").write_text(GOOD.replace("1935;", "x;").replace("gop_cache   on", "atc yes"))
    assert main(["-t", "--json", "-c", "a.conf"]) == 1
    found = json.loads(capsys.readouterr().out)
    [problem] = found["problems"]
    assert not found["good"]
    assert (problem["file"], problem["line"], problem["column"]) == ("a.conf", 2, 21)
    assert "cannot be 'x'" in problem["message"] and "write a port" in problem["hint"]
    (folder / "a.conf").write_text(GOOD.replace("gop_cache   on", "atc yes"))
    assert main(["-t", "--json", "-c", "a.conf"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["good"], found["problems"]) == (True, [])
    assert [(each["severity"], each["line"], each["column"]) for each in found["notices"]] == [
        ("warning", 31, 13)
    ]


def test_a_start_refuses_with_the_same_list(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    (folder / "a.conf").write_text(GOOD.replace("1935;", "x;").replace("8080;", "y;"))
    assert main(["-t", "-c", "a.conf"]) == 1
    tested = capsys.readouterr().err
    assert main(["-c", "a.conf"]) == 1
    assert capsys.readouterr().err == tested
    assert len(tested.splitlines()) == 2
