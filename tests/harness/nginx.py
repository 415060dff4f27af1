"""A real nginx, from Debian's package."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from server import HOST, Log, until

NGINX = """\
{load}
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr info;
events {{ }}
{blocks}
"""
MODULES = Path("/usr/lib/nginx/modules")


def binary() -> str:
    """Path of nginx; skip without it."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        pytest.skip("no nginx")
    return found


def nginx_takes(folder: Path, blocks: str, load: str = "") -> None:
    """Have nginx test a configuration; AssertionError with its complaint."""
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, load=load, blocks=blocks))
    done = subprocess.run(
        [binary(), "-t", "-p", str(folder), "-c", str(file)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@contextmanager
def nginx(folder: Path, blocks: str, port: int, load: str = "") -> Iterator[None]:
    """Run nginx until it listens on *port* and on."""
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, load=load, blocks=blocks))
    words = [binary(), "-p", str(folder), "-c", str(file)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    log = Log(process.stderr)
    try:
        until(lambda: log.ended or accepts(port), "nginx listens", 20)
        assert not log.ended, log.text()
        yield
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def accepts(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), 1).close()
    except OSError:
        return False
    return True


def rtmp_module() -> str:
    """The line that loads the RTMP module; skip without it."""
    path = MODULES / "ngx_rtmp_module.so"
    if not path.exists():
        pytest.skip("no libnginx-mod-rtmp")
    return f"load_module {path};"
