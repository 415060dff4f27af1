"""The command line, and RTMP over TLS."""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from clip import Clip, decode, end, push
from model.ports import free_ports
from player import Player, check_start
from server import HOST, Log, Server, run, start, stop, vhost_text

import fastflv

GOOD = "listen 1935;\nhttp_server { enabled on; listen 8080; }\nvhost __defaultVhost__ { http_remux { enabled on; } }\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with key.pem and cert.pem, self-signed."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl")
    folder = tmp_path_factory.mktemp("tls")
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out cert.pem"
    subprocess.run([openssl, *words.split()], cwd=folder, check=True, capture_output=True, timeout=30)
    return folder


def one_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 1, text
    assert "Traceback" not in text
    return lines[0]


def test_t_accepts_a_good_file(tmp_path: Path) -> None:
    file = tmp_path / "good.conf"
    file.write_text(GOOD)
    done = run("-t", "-c", str(file))
    assert done.returncode == 0, done.stderr
    assert "good" in done.stderr


def test_t_names_file_and_line_and_gives_a_hint(tmp_path: Path) -> None:
    file = tmp_path / "bad.conf"
    file.write_text(GOOD.replace("http_remux", "htp_remux"))
    done = run("-t", "-c", str(file))
    assert done.returncode != 0
    line = one_line(done.stderr)
    assert f"{file}:3" in line
    assert "http_remux" in line, "no suggestion"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("listen 1935\nhttp_server { }\n", 1),
        ("listen 1935;\nvhost x {\n", 2),
        ("listen 99999;\n", 1),
        ("", 0),
        ("}", 1),
    ],
    ids=["semicolon", "brace", "port", "empty", "stray"],
)
def test_mistakes_have_their_place(tmp_path: Path, text: str, line: int) -> None:
    file = tmp_path / "bad.conf"
    file.write_text(text)
    done = run("-t", "-c", str(file))
    assert done.returncode != 0
    said = one_line(done.stderr)
    assert str(file) in said
    if line:
        assert f"{file}:" in said


def test_a_known_directive_that_is_not_supported_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "dash.conf"
    file.write_text(GOOD.replace("http_remux", "dash { enabled on; } http_remux"))
    done = run("-t", "-c", str(file))
    assert done.returncode == 0
    assert (
        "warning" in done.stderr
        and f"{file}:3" in done.stderr
        and "dash is outside of what fastflv does" in done.stderr
    )


def test_t_names_a_file_with_which_nobody_can_publish(tmp_path: Path) -> None:
    file = tmp_path / "bare.conf"
    file.write_text("daemon off;\nlisten 1935;\n")
    done = run("-t", "-c", str(file))
    assert done.returncode == 0
    assert f"warning: {file}:2:8: there is no vhost" in done.stderr


@pytest.mark.parametrize(
    ("damage", "place", "words"),
    [
        (lambda folder: (folder / "cert.pem").unlink(), "3:6", "cert.pem does not exist"),
        (lambda folder: (folder / "key.pem").unlink(), "2:5", "key.pem does not exist"),
        (lambda folder: (folder / "cert.pem").write_text("garbage"), "3:6", "holds no certificate"),
        (lambda folder: (folder / "key.pem").write_text("garbage"), "3:6", "holds no private key"),
    ],
    ids=["no certificate", "no key", "garbage", "garbage for a key"],
)
@pytest.mark.parametrize("block", ["rtmps", "http_server.https", "http_api.https"])
def test_t_looks_at_certificates(
    tmp_path: Path, certificate: Path, block: str, damage: Callable[[Path], object], place: str, words: str
) -> None:
    for name in ("key.pem", "cert.pem"):
        shutil.copyfile(certificate / name, tmp_path / name)
    tls = f"{{ enabled on; listen 8443;\nkey {tmp_path}/key.pem;\ncert {tmp_path}/cert.pem; }}"
    outer, _, inner = block.partition(".")
    more = f"{outer} {{ enabled on; {inner} {tls} }}" if inner else f"{outer} {tls}"
    file = tmp_path / "tls.conf"
    file.write_text(f"listen 1935; {more} vhost __defaultVhost__ {{ http_remux {{ enabled on; }} }}")
    assert run("-t", "-c", str(file)).returncode == 0
    damage(tmp_path)
    done = run("-t", "-c", str(file))
    assert done.returncode == 1
    said = one_line("".join(line for line in done.stderr.splitlines(True) if "warning" not in line))
    assert said.startswith(f"fastflv: {file}:{place}: {block}: ") and words in said


def test_two_outputs_for_one_url_are_refused_with_the_place_of_both(tmp_path: Path) -> None:
    file = tmp_path / "mounts.conf"
    file.write_text(
        "listen 1935;\nvhost a { http_remux { enabled on;\nmount /[stream].flv;\nmount /[stream].flv?only=key;\n} }"
    )
    done = run("-t", "-c", str(file))
    assert done.returncode != 0
    said = one_line(done.stderr)
    assert f"{file}:4:7: " in said and f"({file}:3)" in said


def test_v_shows_the_version() -> None:
    for flag in ("-v", "-V", "--version"):
        done = run(flag)
        assert done.returncode == 0
        assert fastflv.__version__ in done.stdout + done.stderr


def test_a_missing_file_is_one_line() -> None:
    done = run("-c", "/nowhere/at/all.conf")
    assert done.returncode != 0
    assert "/nowhere/at/all.conf" in one_line(done.stderr)


def test_an_unknown_option_is_refused() -> None:
    done = run("--nonsense")
    assert done.returncode != 0 and "Traceback" not in done.stderr


@pytest.mark.parametrize("which", ["rtmp", "http", "api"])
def test_a_port_in_use_is_one_line_with_what_to_do(tmp_path: Path, which: str) -> None:
    with socket.create_server((HOST, 0)) as holder:
        ports = dict(zip(("rtmp", "http", "api"), free_ports(3), strict=True))
        ports[which] = holder.getsockname()[1]
        file = tmp_path / "used.conf"
        file.write_text(
            f"listen {ports['rtmp']}; daemon off; srs_log_tank console;"
            f"http_server {{ enabled on; listen {ports['http']}; }} http_api {{ enabled on; listen {ports['api']}; }}"
            + vhost_text()
        )
        done = run("-c", str(file))
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    said = done.stderr.splitlines()[-1]
    assert str(ports[which]) in said and "in use" in said, done.stderr
    assert said.endswith(f"another port in {file}:1")
    assert done.stderr.count("in use") == 1


def test_too_many_connections_for_the_open_files_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "many.conf"
    file.write_text("max_connections 100000000;\n" + GOOD)
    done = run("-c", str(file))
    assert done.returncode != 0
    assert "ulimit -n" in one_line(done.stderr)


def test_e_takes_everything_from_the_environment() -> None:
    rtmp, http, api = free_ports(3)
    process = start(
        ["-e"],
        {
            "SRS_LISTEN": str(rtmp),
            "SRS_HTTP_SERVER_ENABLED": "on",
            "SRS_HTTP_SERVER_LISTEN": str(http),
            "SRS_HTTP_API_ENABLED": "on",
            "SRS_HTTP_API_LISTEN": str(api),
            "SRS_VHOST_HTTP_REMUX_ENABLED": "on",
            "SRS_VHOST_HTTP_REMUX_MOUNT": "[vhost]/[app]/[stream].flv",
            "SRS_VHOST_HTTP_REMUX_ON_MISSING": "0",
        },
    )
    log = Log(process.stderr)
    try:
        log.wait(f"API on .*{api}")
        with Player(http, "/live/x.flv") as player:
            assert player.head().status == 404 and "retry-after" in player.headers
    finally:
        assert stop(process) == 0, log.text()


def test_e_with_nothing_set_says_that_it_listens_on_nothing() -> None:
    for arguments in (["-e"], ["-t", "-e"]):
        done = run(*arguments)
        assert done.returncode == 1
        assert "listens on nothing" in one_line(done.stderr)


def test_the_environment_beats_the_file(tmp_path: Path) -> None:
    other = free_ports(1)[0]
    with Server(tmp_path, environ={"SRS_HTTP_SERVER_LISTEN": str(other)}) as server:
        with Player(other, "/none.txt") as player:
            assert player.head().status == 404
        with pytest.raises(ConnectionRefusedError):
            Player(server.http, "/none.txt")


def test_the_start_lines_are_urls_to_copy(tmp_path: Path, h264: Clip) -> None:
    with Server(tmp_path) as server:
        publish = server.log.wait("publish to ").split("publish to ")[1]
        play = server.log.wait("play http").split("play ")[1]
        process = push(h264.path, publish, loop=True)
        try:
            path = play.split(f"{HOST}:{server.http}")[1]
            with Player(server.http, path) as player:
                player.frames(5)
        finally:
            end(process)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_sigint_and_sigquit_stop_too(tmp_path: Path, number: signal.Signals) -> None:
    # SIGQUIT is graceful: it waits before and after.
    with Server(tmp_path, more="grace_start_wait 100; grace_final_wait 100;") as server:
        server.process.send_signal(number)
        assert server.process.wait(10) == 0, server.log.text()


def test_demo_shows_a_picture_at_once(tmp_path: Path) -> None:
    rtmp, http, api = free_ports(3)
    file = tmp_path / "demo.conf"
    file.write_text(
        f"listen {rtmp}; daemon off; srs_log_tank console;"
        f"http_server {{ enabled on; listen {http}; }} http_api {{ enabled on; listen {api}; }}"
        + vhost_text()
    )
    process = start(["--demo", "-c", str(file)])
    log = Log(process.stderr)
    try:
        log.wait("publish to ")
        with Player(http, "/live/livestream.flv") as player:
            player.frames(60)
            player.until(lambda me: me.tags[-1].time - me.tags[0].time > 2000)
            assert player.flv.flags == 5
            check_start(player)
            decode(player.save(tmp_path / "demo.flv"))
    finally:
        assert stop(process) == 0, log.text()
    # Its own end is no fault of the demo.
    assert not log.find("Traceback|demo publisher"), log.text()


def test_a_port_and_the_same_port_for_one_family_are_one_listener(tmp_path: Path) -> None:
    # SRS's console.ipv46.conf.
    port = free_ports(1)[0]
    file = tmp_path / "both.conf"
    file.write_text(f"listen {port} [::]:{port}; daemon off; srs_log_tank console;" + vhost_text())
    process = start(["-c", str(file)])
    log = Log(process.stderr)
    try:
        log.wait("publish to ")
        assert len(log.find("RTMP on ")) == 1
        socket.create_connection((HOST, port), 10).close()
    finally:
        assert stop(process) == 0, log.text()


# --- RTMPS ---------------------------------------------------------------------------------------


def rtmps(port: int, folder: Path) -> str:
    return f"rtmps {{ enabled on; listen {port}; key {folder}/key.pem; cert {folder}/cert.pem; }}"


def test_ffmpeg_publishes_over_tls(tmp_path: Path, certificate: Path, h264: Clip) -> None:
    port = free_ports(1)[0]
    with Server(tmp_path, more=rtmps(port, certificate)) as server:
        process = push(h264.path, f"rtmps://{HOST}:{port}/live/tls", loop=True, after="-tls_verify 0")
        try:
            with Player(server.http, "/live/tls.flv") as player:
                player.frames(30)
                check_start(player)
                decode(player.save(tmp_path / "tls.flv"))
        finally:
            end(process)


def test_a_new_certificate_is_given_without_a_restart(tmp_path: Path, certificate: Path) -> None:
    for name in ("key.pem", "cert.pem"):
        shutil.copyfile(certificate / name, tmp_path / name)
    port = free_ports(1)[0]
    with Server(tmp_path, more=rtmps(port, tmp_path)) as server:
        old = ssl.get_server_certificate((HOST, port), timeout=10)
        assert old == (tmp_path / "cert.pem").read_text()
        words = "openssl req -x509 -key key.pem -days 2 -subj /CN=new -addext subjectAltName=DNS:new.example -out fresh.pem"
        subprocess.run(words.split(), cwd=tmp_path, check=True, capture_output=True, timeout=30)
        (tmp_path / "fresh.pem").replace(tmp_path / "cert.pem")
        server.log.wait("cert.pem is in use, for new.example")
        fresh = ssl.get_server_certificate((HOST, port), timeout=10)
        assert fresh == (tmp_path / "cert.pem").read_text() != old


def test_plain_rtmp_on_the_tls_port_harms_nothing(tmp_path: Path, certificate: Path) -> None:
    port = free_ports(1)[0]
    with Server(tmp_path, more=rtmps(port, certificate)) as server:
        with socket.create_connection((HOST, port), 10) as sock:
            sock.sendall(b"\3" + bytes(1536))
            try:
                while sock.recv(1000):
                    pass
            except ConnectionResetError:
                pass
        assert server.ask("versions")["code"] == 0


def test_a_certificate_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "tls.conf"
    rtmp, port = free_ports(2)
    file.write_text(
        f"listen {rtmp}; daemon off; srs_log_tank console; {rtmps(port, tmp_path)}" + vhost_text()
    )
    done = run("-c", str(file))
    assert done.returncode != 0
    assert "cert.pem" in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
