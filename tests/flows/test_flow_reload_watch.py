"""Configuration files that change are read without a signal, wherever the server runs."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from model.ports import free_ports
from reloading import Make
from server import Log, environment, start, stop, until, vhost_text

# --- without a signal ----------------------------------------------------------------------------


def test_a_file_that_changes_is_read_without_a_signal(make: Make, tmp_path: Path) -> None:
    part = tmp_path / "limit.conf"
    part.write_text("max_connections 500;\n")
    server = make(more="inotify_auto_reload on;")
    text = server.file.read_text().replace("max_connections 1000;", f"include {part};")
    server.rewrite(text)
    lines = server.reloaded(0)
    assert any("max_connections: 1000 -> 500, at once" in line for line in lines)
    mark = len(server.log.lines)
    part.write_text("max_connections 600;\n")
    lines = server.reloaded(mark)
    assert any(re.search(r"limit\.conf:1: max_connections: 500 -> 600, at once", line) for line in lines)
    # A bad file is refused once, and the watch goes on.
    mark = len(server.log.lines)
    part.write_text("max_connections none;\n")
    line = server.expect_error("the configuration stays as it is", mark)
    assert "a configuration file has changed" in line and "limit.conf:1" in line
    part.write_text("max_connections 700;\n")
    lines = server.reloaded(mark)
    assert any("max_connections: 600 -> 700" in line for line in lines)
    mark = len(server.log.lines)
    server.rewrite(text.replace("inotify_auto_reload on;", ""))
    server.reloaded(mark)
    mark = len(server.log.lines)
    part.write_text("max_connections 800;\n")
    assert any("700 -> 800" in line for line in server.reload())
    assert len(server.log.find("is in force", mark)) == 1


def test_a_symbolic_link_that_is_swapped_is_read_without_a_signal(tmp_path: Path) -> None:
    # A ConfigMap of Kubernetes: server.conf -> ..data/server.conf, and ..data is renamed over.
    rtmp, http, api = free_ports(3)
    text = (
        f"listen {rtmp}; daemon off; srs_log_tank console; max_connections LIMIT; inotify_auto_reload on;"
        f"http_server {{ enabled on; listen {http}; }} http_api {{ enabled on; listen {api}; }}"
        + vhost_text()
    )
    for limit in (500, 600):
        (tmp_path / f"..{limit}").mkdir()
        (tmp_path / f"..{limit}" / "server.conf").write_text(text.replace("LIMIT", str(limit)))
    (tmp_path / "..data").symlink_to("..500")
    (tmp_path / "server.conf").symlink_to("..data/server.conf")
    process = start(["-c", str(tmp_path / "server.conf")])
    log = Log(process.stderr)
    try:
        log.wait("ask http", timeout=40)
        (tmp_path / "..fresh").symlink_to("..600")
        (tmp_path / "..fresh").replace(tmp_path / "..data")
        log.wait(r"a configuration file|max_connections: 500 -> 600, at once")
        log.wait("configuration 2 is in force")
    finally:
        assert stop(process) == 0, log.text()
    assert not log.find("ERROR|Traceback"), log.text()


def test_relative_paths_of_the_files_start_where_the_server_did_whatever_work_dir_says(
    tmp_path: Path,
) -> None:
    import subprocess
    import sys

    rtmp, http, api = free_ports(3)
    (tmp_path / "conf").mkdir()
    (tmp_path / "elsewhere").mkdir()
    part = tmp_path / "conf" / "limit.conf"
    part.write_text("max_connections 500;\n")
    (tmp_path / "conf" / "server.conf").write_text(
        f"listen {rtmp}; daemon off; srs_log_tank file; srs_log_file objs/server.log; work_dir {tmp_path}/elsewhere;\n"
        f"include conf/limit.conf;\ninotify_auto_reload on;\n"
        f"http_server {{ enabled on; listen {http}; }} http_api {{ enabled on; listen {api}; }}"
        + vhost_text()
    )
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "fastflv", "-c", "conf/server.conf"],
        cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    log = tmp_path / "elsewhere" / "objs" / "server.log"

    def logged(pattern: str) -> bool:
        return log.exists() and re.search(pattern, log.read_text()) is not None

    try:
        until(lambda: logged("ask http"), "start", 40)
        part.write_text("max_connections 600;\n")
        process.send_signal(signal.SIGHUP)
        until(lambda: logged(r"conf/limit\.conf:1: max_connections: 500 -> 600, at once"), "reload", 15)
        part.write_text("max_connections 700;\n")
        until(lambda: logged("max_connections: 600 -> 700, at once"), "reload without a signal", 15)
    finally:
        assert stop(process) == 0
    assert "ERROR" not in log.read_text()
