"""The servers that send files, started with one worker each, and their CPU time and memory."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fanout.errors import BenchError
from benchmarks.fanout.processes import Child, free_ports

FASTFLV = """\
listen {rtmp};
max_connections 2000;
daemon off;
srs_log_tank file;
srs_log_file {folder}/server.log;
srs_log_level warn;
http_server {{ enabled on; listen {http}; dir {root}; }}
vhost __defaultVhost__ {{ }}
"""
NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 2000; }}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{http}; root {root}; }}
}}
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that listens."""

    child: Child
    port: int

    @property
    def pids(self) -> list[int]:
        """Its processes: nginx has a worker."""
        found = [self.child.pid]
        for pid in found:
            found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return found

    def cpu_seconds(self) -> float:
        """CPU time of all its threads so far."""
        tasks = (task for pid in self.pids for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def resident(self) -> int:
        """Memory, bytes."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.pids)
        return pages * os.sysconf("SC_PAGE_SIZE")


def start_fastflv(folder: Path, root: Path, cores: set[int]) -> Running:
    """Start the checkout."""
    rtmp, http = free_ports(2)
    file = folder / "fastflv.conf"
    file.write_text(FASTFLV.format(rtmp=rtmp, http=http, folder=folder, root=root))
    argv = [sys.executable, "-m", "fastflv", "-c", str(file)]
    return _running(Child("fastflv", argv, cores, folder / "fastflv.out"), http)


def start_nginx(folder: Path, root: Path, cores: set[int]) -> Running:
    """Start nginx with sendfile and without a log of requests."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise BenchError("there is no nginx: apt-get install nginx")
    (http,) = free_ports(1)
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(http=http, folder=folder, root=root))
    return _running(Child("nginx", [program, "-c", str(file)], cores, folder / "nginx.out"), http)


SERVERS: dict[str, Callable[[Path, Path, set[int]], Running]] = {
    "fastflv": start_fastflv,
    "nginx": start_nginx,
}


def _running(child: Child, port: int) -> Running:
    try:
        child.await_port(port)
    except BaseException:
        child.stop()
        raise
    return Running(child, port)
