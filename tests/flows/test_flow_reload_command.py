"""`fastflv reload`: the running server reloads, and the command tells what came of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
from pathlib import Path

from reloading import DEFAULT, Make
from server import run, vhost_text


def test_the_command_reloads_and_tells_which_changes_count_and_when(make: Make, tmp_path: Path) -> None:
    pid = tmp_path / "live.pid"
    server = make(vhost_text(play="mw_latency 100;"), more=f"pid {pid}; fanout_threads 1;")
    server.edit(
        ("mw_latency 100;", "mw_latency 200; mw_msgs 16;"),
        ("fanout_threads 1;", "fanout_threads 2; chunk_size 4096;"),
    )
    plan = run("reload", "--plan", "-c", str(server.file))
    assert (plan.returncode, plan.stderr) == (0, "")
    done = run("reload", "-c", str(server.file))
    assert (done.returncode, done.stderr) == (0, "")
    wanted = [
        "in force at once:",
        f"{DEFAULT}.play.mw_latency: 100 -> 200",
        "for new connections:",
        "chunk_size: 60000 -> 4096",
        "need a restart:",
        "fanout_threads: 1 -> 2",
        "have no effect:",
        f"{DEFAULT}.play.mw_msgs: 8 -> 16",
    ]
    shown = done.stdout.splitlines()
    assert all(line.endswith(each) for line, each in zip(shown, wanted, strict=False)), done.stdout
    assert shown[1].startswith(f"  {server.file}:") and shown[-1] == "configuration 2 is in force"
    # The plan has shown the same, and nothing was put in force by it.
    assert plan.stdout.splitlines() == shown[:-1]
    assert len(server.log.find("reload: configuration")) == 1
    assert run("reload", "--plan", "-c", str(server.file)).stdout == "nothing differs\n"


def test_the_api_shows_the_plan_of_a_reload_its_outcome_and_the_lines_of_the_log(make: Make) -> None:
    server = make(vhost_text(play="mw_latency 100;"))
    server.change(
        ("http_api { enabled on;", "http_api { enabled on; raw_api { enabled on; allow_reload on; }")
    )
    server.edit(("mw_latency 100;", "mw_latency 200;"))
    plan = server.ask("raw?rpc=reload-plan")["plan"]
    [change] = plan["changes"]
    assert (change["setting"], change["old"], change["new"]) == (f"{DEFAULT}.play.mw_latency", "100", "200")
    assert (change["when"], change["place"].startswith(f"{server.file}:")) == ("at once", True)
    assert (plan["good"], plan["configuration"]) == (True, 2)
    newest = server.ask("logs")["newest"]
    assert server.ask("raw?rpc=reload-fetch")["data"]["state"] == 0
    server.ask("raw?rpc=reload")
    fetched = server.ask("raw?rpc=reload-fetch")["data"]
    assert (fetched["err"], fetched["state"]) == (0, 90)
    assert fetched["report"] == {**plan, "configuration": 3}
    assert server.ask("raw?rpc=reload-plan")["plan"]["changes"] == []
    lines = server.ask(f"logs?after={newest}")["lines"]
    assert any("mw_latency: 100 -> 200" in line["message"] for line in lines)
    rows = server.ask("config/settings?vhost=__defaultVhost__&count=500")["settings"]
    [row] = [row for row in rows if row["setting"] == f"{DEFAULT}.play.mw_latency"]
    assert (row["value"], row["source"].startswith(f"{server.file}:")) == ("200", True)
    server.edit(("mw_latency 200;", "mw_latency soon;"))
    plan = server.ask("raw?rpc=reload-plan")["plan"]
    assert not plan["good"] and "mw_latency" in plan["problems"][0]


def test_a_refused_reload_is_told_with_all_its_reasons_and_changes_nothing(
    make: Make, tmp_path: Path
) -> None:
    pid = tmp_path / "live.pid"
    server = make(more=f"pid {pid};")
    good = server.file.read_text()
    tls = "https { enabled on; key gone.key; cert gone.crt; }"
    server.edit(
        ("max_connections 1000;", "max_connections many;\nwork_dirr /;"),
        ("http_server { enabled on;", f"http_server {{ enabled on; {tls}"),
    )
    for arguments in (("--plan",), ()):
        done = run("reload", *arguments, "-c", str(server.file))
        assert (done.returncode, done.stdout) == (1, "")
        lines = done.stderr.splitlines()
        assert len(lines) == 3
        assert lines[0].startswith(
            f"fastflv reload: {server.file}:2:17: max_connections is not a whole number"
        )
        assert "did you mean 'work_dir'?" in lines[1]
        assert "server.conf:6:" in lines[2] and "gone.crt does not exist" in lines[2]
    server.expect_error("is not a whole number")
    server.expect_error("work_dirr")
    server.expect_error("gone.crt does not exist")
    server.rewrite(good)
    report = json.loads(run("reload", "--json", "--pid", str(pid)).stdout)
    assert report == {"good": True, "configuration": 2, "changes": [], "next_publish": [], "problems": []}


def test_a_command_without_a_server_says_what_to_do(make: Make, tmp_path: Path) -> None:
    assert "write the server's configuration file" in run("reload").stderr
    done = run("reload", "--pid", str(tmp_path / "none.pid"))
    assert done.returncode == 1
    assert "no server answers" in done.stderr and "Traceback" not in done.stderr
    done = run("reload", "-c", str(tmp_path / "none.conf"))
    assert done.returncode == 1 and "none.conf: cannot read the file: No such file" in done.stderr
    report = json.loads(run("reload", "--json", "--pid", str(tmp_path / "none.pid")).stdout)
    assert not report["good"] and "no server answers" in report["problems"][0]


def test_the_socket_is_for_the_user_of_the_server_and_leaves_with_it(make: Make, tmp_path: Path) -> None:
    pid = tmp_path / "live.pid"
    server = make(more=f"pid {pid};")
    path = Path(f"{pid}.sock")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    descriptors = 0
    for sent in (b"reload", b"\n", b"dance\n", b"x" * 5000, b"reload"):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(20)
            peer.connect(str(path))
            peer.sendall(sent)
            peer.shutdown(socket.SHUT_WR)
            with peer.makefile("rb") as answer:
                line = answer.readline()
        assert (b"knows no command" in line) is (sent in (b"\n", b"dance\n"))
        descriptors = descriptors or server.quiet_fds()
    assert server.quiet_fds() <= descriptors
    os.kill(server.pid, signal.SIGTERM)
    server.process.wait(20)
    assert not path.exists() and not pid.exists()
