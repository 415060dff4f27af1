"""What a URL meets, and which settings hold: by the configuration alone, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fastflv.tools.cli import main

TEXT = """\
listen 1935;
daemon off;
limits { conn all 500; }
http_server { enabled on; listen 8080; }
http_api { enabled on; auth { enabled on; username a; password hush; } }
vhost __defaultVhost__ {
    http_remux { enabled on; mount [vhost]/[app]/[stream].flv; mount /a/[stream].ts?only=audio; }
    hls { enabled on; }
    security { enabled on; allow play all; deny play 10.0.0.0/8; allow publish 127.0.0.1; }
    limits { req ip 10r/s; send_rate stream 8g; ingest_rate 20m; }
    play { queue_length 7; on_missing 3; }
    http_hooks { on_publish http://u:p@127.0.0.1/x?key=1; }
}
vhost off.example.com { enabled off; }
vhost b.example.com {
    http_remux { enabled on; }
    refer { enabled on; all example.com; play a.example.com; }
    auth { enabled on; apply publish; key 0123456789abcdef0123456789abcdef; }
}
"""


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.conf").write_text(TEXT)

    def explain(url: str) -> dict:
        status = main(["-t", "--json", "--explain", url, "-c", "a.conf"])
        found = json.loads(capsys.readouterr().out)
        assert status == (0 if found["good"] else 1)
        return found

    return explain


def rules(found: dict, action: str) -> list[tuple[str, str, str]]:
    return [(each["block"], each["text"], each["place"]) for each in found["rules"][action]]


@pytest.mark.parametrize(
    ("url", "listener", "vhost", "stream"),
    [
        ("rtmp://any.host/live/x", "RTMP on 1935", "__defaultVhost__", "live/x"),
        ("rtmp://any.host/a/b/x?vhost=b.example.com", "RTMP on 1935", "b.example.com", "a/b/x"),
        ("http://any.host:8080/live/x.flv", "http_server on 8080", "__defaultVhost__", "live/x"),
        ("ws://any.host:8080/live/x.flv", "http_server on 8080", "__defaultVhost__", "live/x"),
        ("http://b.example.com:8080/live/x.flv?a=1", "http_server on 8080", "b.example.com", "live/x"),
        (
            "http://any.host:8080/live/x.flv?vhost=b.example.com",
            "http_server on 8080",
            "b.example.com",
            "live/x",
        ),
        ("http://any.host:8080/live/x.m3u8", "http_server on 8080", "__defaultVhost__", "live/x"),
        ("http://any.host:1985/api/v1/streams", "http_api on 1985", "", ""),
    ],
)
def test_the_way_of_a_url_is_shown(ask, url: str, listener: str, vhost: str, stream: str) -> None:
    found = ask(url)
    assert found["good"]
    assert (found["listener"], found["vhost"], found["stream"]) == (listener, vhost, stream)


def test_the_mount_and_its_arguments_are_shown(ask) -> None:
    found = ask("http://h:8080/a/x.ts")
    assert found["answered_by"] == "mount /a/[stream].ts?only=audio"
    assert (found["route_place"], found["container"], found["arguments"]) == (
        "a.conf:7",
        "ts",
        {"only": "audio"},
    )
    # Nothing but an FLV mount takes a publish.
    assert list(found["rules"]) == ["play"]
    assert any("waits 3 s" in note for note in found["notes"])


def test_the_rules_are_shown_in_the_order_asked(ask) -> None:
    found = ask("rtmp://h/live/x")
    assert rules(found, "play") == [
        ("security", "deny play 10.0.0.0/8", "a.conf:9"),
        ("security", "allow play all", "a.conf:9"),
        ("security", "all others are refused", ""),
        ("limits", "req ip 10r/s", "a.conf:10"),
        ("limits of the server", "conn all 500", "a.conf:3"),
        ("limits", "send_rate stream 8g", "a.conf:10"),
    ]
    assert [text for _, text, _ in rules(found, "publish")] == [
        "allow publish 127.0.0.1",
        "all others are refused",
        "req ip 10r/s",
        "conn all 500",
        "ingest_rate 20m",
    ]
    found = ask("http://b.example.com:8080/live/x.flv")
    assert [(block, text) for block, text, _ in rules(found, "play")][:2] == [
        ("refer", "the page is of example.com"),
        ("refer", "the page is of a.example.com"),
    ]
    assert ("auth", "a token or a signed URL is needed", "a.conf:18") in rules(found, "publish")
    assert "auth" not in [block for block, _, _ in rules(found, "play")]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("rtmp://h:1936/live/x", "nothing listens on port 1936"),
        ("https://h/live/x.flv", "nothing listens on port 443"),
        ("rtmp://off.example.com/live/x", "vhost off.example.com is off"),
        ("rtmp://h", "names no stream"),
        ("http://h:8080/live/x..y/../z.flv", ""),
        ("ftp://h/live/x", "is no URL of rtmp"),
        ("http://h:99999/live/x", "is no URL of"),
        ("http://[::1/live/x.flv", "is no URL of"),
        ("rtmp://h/live/" + "x" * 2000, "names no stream"),
        ("x", "is no URL of"),
    ],
)
def test_a_way_that_ends_says_where(ask, url: str, words: str) -> None:
    found = ask(url)
    assert not found["good"]
    assert words in found["problem"]


def test_the_explanation_is_text_too(ask, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-t", "--explain", "rtmp://h/live/x", "-c", "a.conf"]) == 0
    shown = capsys.readouterr().out
    assert "  vhost     __defaultVhost__ (a.conf:6)\n" in shown
    assert "    security: deny play 10.0.0.0/8 (a.conf:9)\n" in shown
    with pytest.raises(SystemExit) as caught:
        main(["--explain", "rtmp://h/live/x", "-c", "a.conf"])
    assert caught.value.code == 2


def settings(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, tuple[str, str]]:
    assert main(["config", "print", "--json", *arguments]) == 0
    rows = json.loads(capsys.readouterr().out)["settings"]
    found = {row["setting"]: (row["value"], row["source"]) for row in rows}
    assert len(found) == len(rows)
    return found


def test_each_setting_is_printed_with_its_source_and_secrets_are_not(
    ask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SRS_MAX_CONNECTIONS", "55")
    found = settings(capsys, "-c", "a.conf")
    assert found["listen"] == ("1935", "a.conf:1")
    assert found["max_connections"] == ("55", "environment SRS_MAX_CONNECTIONS")
    assert found["chunk_size"] == ("60000", "default")
    assert found["http_api.auth.username"] == ("a", "a.conf:5")
    assert found["http_api.auth.password"] == ("(hidden)", "a.conf:5")
    assert found["vhost b.example.com.auth.key"] == ("(hidden)", "a.conf:18")
    assert found["vhost __defaultVhost__.play.mw_latency"] == ("auto", "default")
    # `queue_length` is SRS's spelling of it.
    assert found["vhost __defaultVhost__.play.lag_jump"] == ("7000", "a.conf:11")
    assert found["vhost __defaultVhost__.http_remux.on_missing"] == ("3", "a.conf:11")
    assert found["vhost off.example.com.enabled"] == ("off", "a.conf:14")
    hook, _ = found["vhost __defaultVhost__.http_hooks.on_publish"]
    assert "u:p" not in hook and "key=1" not in hook
    written = settings(capsys, "-c", "a.conf", "--written")
    assert "chunk_size" not in written and written["listen"] == found["listen"]
    assert set(written) < set(found)


def test_the_built_in_settings_are_printed_too(capsys: pytest.CaptureFixture[str]) -> None:
    found = settings(capsys)
    assert found["listen"][1].startswith("built-in configuration:")
    assert main(["config", "print"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(found)
    assert lines[0].split()[0] == "listen"


def test_a_file_with_problems_is_not_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.conf"
    file.write_text("listen x;\nfoo;")
    assert main(["config", "print", "-c", str(file)]) == 1
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 2
