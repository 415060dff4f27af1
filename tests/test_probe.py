"""What a probe makes of the tags that arrive."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, SCRIPT, VIDEO, Tag, inter, key, sound, write_tag

from fastflv import limits
from fastflv.containers.flv.header import flv_header
from fastflv.containers.flv.reader import FlvReader, FlvTag
from fastflv.errors import ToolError
from fastflv.media.amf import amf0
from fastflv.stream.liveclock import ClockTag, write_clock
from fastflv.tools.probe import Probe, main, probe, text_of
from fastflv.tools.source import not_upgraded, open_source, read_flv

WALL = 1_700_000_000_000.0


def source(flags: int = 5):
    made = open_source("http://127.0.0.1:8080/live/a.flv", timeout=1)
    made.flags = flags
    return made


def watched(seconds: int = 6, *, delay: float = 80.0, clock: bool = True) -> Probe:
    """A GOP of the past at once, then 25 pictures and 50 sounds a second as they happen."""
    probe = Probe(100.0)
    past = [FlvTag(VIDEO, time, key() if time == 0 else inter(bytes(95))) for time in range(0, 1000, 40)]
    heads = [FlvTag(AUDIO, 0, AAC_HEADER), FlvTag(VIDEO, 0, AVC_HEADER)]
    probe.take([*heads, *past], 100.05, WALL)
    for time in range(1000, 1000 + seconds * 1000, 20):
        now = 100.05 + (time - 1000) / 1000
        found = [FlvTag(AUDIO, time, sound(bytes(98)))]
        if time % 40 == 0:
            is_key = time % 2000 == 0
            if is_key and clock:
                ingest = round(WALL + time - delay)
                found.append(FlvTag(SCRIPT, time, write_clock(ClockTag(time, ingest, ingest + 5, time, 1))))
            found.append(FlvTag(VIDEO, time, (key if is_key else inter)(bytes(95))))
        probe.take(found, now, WALL + time)
    return probe


def test_rates_are_those_of_what_came_live():
    report = watched().report(source(), 6.0)
    video, audio = report["tracks"]
    assert (video["kind"], video["codec"], audio["kind"], audio["codec"]) == ("video", "H264", "audio", "AAC")
    assert video["frames_per_second"] == 25.0
    assert audio["frames_per_second"] == 50.0
    assert video["kbps"] == pytest.approx(25 * 100 * 8 / 1000, rel=0.01)
    assert audio["kbps"] == pytest.approx(50 * 100 * 8 / 1000, rel=0.01)
    assert report["gop_ms"] == {"least": 2000, "most": 2000}
    assert report["first_byte_ms"] == report["first_keyframe_ms"] == 50.0
    assert report["longest_silence_ms"] == pytest.approx(20)
    assert report["warnings"] == []


def test_the_interval_of_keyframes_is_missed_until_two_came_live():
    probe = Probe(100.0)
    probe.take([FlvTag(AUDIO, 0, sound(b""))], 100.0, WALL)
    assert not probe.misses_key, "there is no video"
    probe.take([FlvTag(VIDEO, 0, key())], 100.0, WALL)
    for second in range(1, 25):
        assert probe.misses_key
        probe.take([FlvTag(VIDEO, 1000 * second, (inter, key)[second % 12 == 0](b""))], 100.0 + second, WALL)
    assert not probe.misses_key
    report = probe.report(source(), 24.0)
    assert report["gop_ms"] == {"least": 12_000, "most": 12_000}
    assert report["tracks"][0]["frames_per_second"] == 1.0


def test_the_delay_is_that_of_the_clock():
    report = watched().report(source(), 6.0)
    assert report["delay_ms"] == {"p50": 80.0, "p99": 80.0, "count": 3}
    assert report["server_ms"]["p50"] == 5.0
    assert report["hop"] == 1
    assert "delay p50 80.0 ms" in text_of(report)


def test_without_a_clock_the_delay_is_not_known_and_how_to_know_it_is_said():
    report = watched(clock=False).report(source(), 6.0)
    assert (report["delay_ms"], report["hop"]) == (None, None)
    assert "live_clock on" in text_of(report)


def test_clocks_that_differ_are_told_of():
    (warning,) = watched(delay=-50).report(source(), 6.0)["warnings"]
    assert "clocks of the machines differ" in warning


def test_promises_that_are_not_kept_are_told_of():
    probe = Probe(0.0)
    said = amf0.encode("onMetaData", {"hasAudio": True, "hasVideo": False})
    probe.take([FlvTag(SCRIPT, 0, said), FlvTag(VIDEO, 0, inter())], 1.0, WALL)
    warnings = probe.report(source(4), 1.0)["warnings"]
    assert len(warnings) == 5
    assert any("announces audio" in line for line in warnings)
    assert any("does not announce video" in line for line in warnings)
    assert any("hasVideo false" in line for line in warnings)
    assert any("no keyframe" in line for line in warnings)


@given(st.lists(st.tuples(st.sampled_from([AUDIO, VIDEO, SCRIPT, 4]), st.binary(max_size=30)), max_size=10))
def test_whatever_comes_makes_a_report(rows):
    probe = Probe(0.0)
    for i, (kind, body) in enumerate(rows):
        probe.take([FlvTag(kind, i, body)], 1.0 + i, WALL)
    assert text_of(probe.report(source(), 1.0))


def test_what_is_no_flv_is_said_so():
    with pytest.raises(ToolError, match="no FLV"):
        read_flv(FlvReader(), b"<html>")
    with pytest.raises(ToolError, match="breaks FLV"):
        read_flv(FlvReader(), flv_header(audio=True, video=True) + bytes(15))


@pytest.mark.parametrize(
    "url", ["", "a.flv", "ftp://a/b", "http://", "rtmp://:1935/live/a", "http://a:99999/x", "http://[::1/x"]
)
def test_a_url_that_is_none_is_refused_with_what_to_give(url, capsys):
    assert main([url, "--seconds", "1"]) == 1
    assert "give an http, https, ws, wss, rtmp or rtmps URL" in capsys.readouterr().err


def test_nobody_at_the_port_is_an_error_that_says_what_to_do(capsys):
    assert main(["http://127.0.0.1:1/live/a.flv", "--json"]) == 1
    assert "is the server running" in capsys.readouterr().err


@contextmanager
def answering(answer: bytes):
    """Answer one request with these bytes and the end of the connection; give the port."""

    def serve() -> None:
        with listener, listener.accept()[0] as sock:
            while b"\r\n\r\n" not in sock.recv(65536):
                pass
            sock.sendall(answer)

    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join()


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MEDIA = flv_header(audio=False, video=True) + write_tag(Tag(VIDEO, 0, key(bytes(50))))


@pytest.mark.parametrize(
    "end", [b"", b"\r", b"\r\n", b"\r\n400\r\n", b"\r\n400\r\nabc", b"\r\nno number\r\n"], ids=repr
)
def test_a_body_that_is_cut_ends_and_what_came_is_reported(end):
    with answering(CHUNKED + b"%x\r\n" % len(MEDIA) + MEDIA + end) as port:
        report = probe(f"http://127.0.0.1:{port}/live/a.flv", seconds=5)
    assert [track["frames"] for track in report["tracks"]] == [1]


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        CHUNKED + b"0" * 70_000,
        CHUNKED.replace(b"200", b"404") + b"400\r\nabc",
    ],
    ids=["no HTTP", "a long field", "a long chunk size", "a cut refusal"],
)
def test_a_server_that_breaks_http_is_an_error_that_says_so(answer, capsys):
    with answering(answer) as port:
        assert main([f"http://127.0.0.1:{port}/live/a.flv"]) == 1
    assert "the server breaks HTTP" in capsys.readouterr().err


def test_a_connection_that_ends_without_an_answer_is_none(capsys):
    with answering(b"") as port:
        assert main([f"http://127.0.0.1:{port}/live/a.flv"]) == 1
    assert "no connection" in capsys.readouterr().err


EVIL = "\x1b]0;owned\x07\x9b2J"


@pytest.mark.parametrize(
    "answer",
    [
        f"HTTP/1.1 404 Not Found\r\nContent-Length: 14\r\n\r\n{EVIL}",
        f"HTTP/1.1 302 Found\r\nLocation: rtmp:///{EVIL}\r\nContent-Length: 0\r\n\r\n",
        f"HTTP/1.1 {EVIL}\r\n\r\n",
        f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/{EVIL}\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["body", "location", "status line", "location followed"],
)
@pytest.mark.parametrize("json", [[], ["--json"]], ids=["text", "json"])
def test_no_escape_code_of_a_server_reaches_the_terminal(answer, json, capsys):
    with answering(answer.encode("latin-1")) as port:
        assert main([f"http://127.0.0.1:{port}/live/a.flv", *json]) == 1
    shown = capsys.readouterr().err.rstrip("\n")
    assert "owned" in shown or "answers" in shown or "no connection" in shown
    assert shown.isprintable()


def test_the_report_for_people_is_printable(capsys):
    report = watched().report(source(), 6.0)
    report["warnings"] = [f"of the server {EVIL}\nfastflv: forged"]
    lines = text_of(report).split("\n")
    assert lines[-1] == r"warning: of the server \x1b]0;owned\x07\x9b2J\nfastflv: forged"
    assert all(line.isprintable() for line in lines)


def test_a_probe_shows_neither_password_nor_token_of_its_url(capsys):
    assert main(["http://me:SECRET@127.0.0.1:1/live/a.flv?token=SECRET"]) == 1
    assert main(["ftp://me:SECRET@127.0.0.1/live/a.flv?token=SECRET"]) == 1
    with answering(CHUNKED + b"%x\r\n" % len(MEDIA) + MEDIA) as port:
        assert main([f"http://me:SECRET@127.0.0.1:{port}/live/a.flv?token=SECRET&only=video"]) == 0
    out, err = capsys.readouterr()
    assert "SECRET" not in out + err
    assert f"http://***@127.0.0.1:{port}/live/a.flv?token=***&only=video: " in out


def test_a_space_in_a_url_is_an_error_that_says_what_to_write(capsys):
    assert main(["http://127.0.0.1:1/live/a b.flv"]) == 1
    assert "%20" in capsys.readouterr().err


def test_the_help_names_the_defaults(capsys):
    with pytest.raises(SystemExit):
        main(["-h"])
    assert f"default {limits.PROBE_SECONDS:g}" in capsys.readouterr().out


@pytest.mark.parametrize("config", [False, True])
def test_opus_has_its_rate_and_channels_with_a_header_and_without(config):
    head = b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0"
    probe = Probe(0.0)
    tags = [FlvTag(AUDIO, 0, b"\x90Opus" + head)] if config else []
    probe.take([*tags, *(FlvTag(AUDIO, time, b"\x91Opus\xfc" + bytes(40)) for time in (0, 20))], 1.0, WALL)
    (audio,) = probe.report(source(), 1.0)["tracks"]
    assert (audio["codec"], audio["sample_rate"], audio["channel"]) == ("Opus", 48000, 1 if config else 2)


@pytest.mark.parametrize("status", [200, 400])
def test_a_proxy_that_drops_upgrade_is_named(status):
    assert "proxy in between dropped the Upgrade" in str(not_upgraded(status))
    assert "nobody publishes it" in str(not_upgraded(404))
