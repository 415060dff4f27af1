"""The servers that can take part: how each is started, and where it plays."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from benchmarks.fanout import settings
from benchmarks.fanout.errors import BenchError
from benchmarks.fanout.settings import PROTOCOLS, Settings


@dataclass(frozen=True)
class Server:
    """One kind of server; subclasses say how it is run."""

    name: str
    binary: Path | None = None
    "The program, as given by its option."

    needs_publisher = True
    protocols: ClassVar[tuple[str, ...]] = ("flv",)
    "What its players can speak, of settings.PROTOCOLS."

    def version(self) -> str:
        """Return its version, or an empty text."""
        return ""

    def argv(self, s: Settings, work: Path) -> list[str]:
        """Write its configuration into `work` and return its command."""
        raise NotImplementedError

    def path(self, s: Settings, stream: str, container: str) -> str:
        """Return the path of the stream over HTTP; the container is "flv" or "ts"."""
        return f"/live/{stream}.{container}"

    def url(self, s: Settings, stream: str) -> str:
        """Return where players find the stream, by the protocol of the settings."""
        if s.protocol == "rtmp":
            return f"rtmp://127.0.0.1:{s.rtmp_port}/live/{stream}"
        path = self.path(s, stream, "ts" if s.protocol == "ts" else "flv")
        scheme, port = {"ws": ("ws", s.http_port), "https": ("https", s.https_port)}.get(
            s.protocol, ("http", s.http_port)
        )
        return f"{scheme}://127.0.0.1:{port}{path}"

    def required(self) -> Path:
        """Return the program, or say which option is missing."""
        if self.binary is None:
            raise BenchError(f"{self.name} needs its program: --{self.name} PATH")
        if not self.binary.exists():
            raise BenchError(f"--{self.name}: no such file: {self.binary}")
        return self.binary.resolve()


def _first_line(argv: list[str]) -> str:
    """Return the first line that a version option prints."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0].strip() if lines else ""


class Fastflv(Server):
    """This project, by `python -m fastflv`, from the current directory or as installed."""

    protocols = PROTOCOLS

    def version(self) -> str:
        code = "import fastflv; print(fastflv.__version__)"
        return _first_line([sys.executable, "-c", code])

    def argv(self, s: Settings, work: Path) -> list[str]:
        if importlib.util.find_spec("fastflv") is None:
            raise BenchError("fastflv cannot be imported: run pip install . first")
        conf = work / "fastflv.conf"
        conf.write_text(settings.fastflv(s, work))
        workers = ["--workers", str(s.workers)] if s.workers > 1 else []
        return [sys.executable, "-m", "fastflv", "-c", str(conf), *workers]


class Before(Fastflv):
    """Another checkout of this project with its extensions built in place: what a change did to the figures."""

    def version(self) -> str:
        return f"the checkout {self.required().name}"

    def argv(self, s: Settings, work: Path) -> list[str]:
        conf = work / "before.conf"
        conf.write_text(settings.fastflv(s, work))
        # -P: the current directory is not searched.
        return [
            "env",
            f"PYTHONPATH={self.required()}",
            sys.executable,
            "-P",
            "-m",
            "fastflv",
            "-c",
            str(conf),
        ]


class Srs(Server):
    """SRS; it has no WebSocket."""

    protocols = ("flv", "ts", "https", "rtmp")

    def version(self) -> str:
        return _first_line([str(self.required()), "-v"])

    def argv(self, s: Settings, work: Path) -> list[str]:
        conf = work / "srs.conf"
        conf.write_text(settings.srs(s, work))
        return [str(self.required()), "-c", str(conf)]


class Zlm(Server):
    """ZLMediaKit: one event thread, no affinity of its own, warnings only."""

    protocols = PROTOCOLS

    def argv(self, s: Settings, work: Path) -> list[str]:
        conf = work / "zlm.ini"
        conf.write_text(settings.zlm(s, work))
        threads = str(s.threads or 1)
        options = ["-c", str(conf), "-t", threads, "--affinity", "0", "-l", "3", "--log-dir", f"{work}/log/"]
        if s.certificate:
            options += ["-s", str(s.certificate.both)]
        return [str(self.required()), *options]

    def path(self, s: Settings, stream: str, container: str) -> str:
        return f"/live/{stream}.live.{container}"


class Nginx(Server):
    """nginx with nginx-http-flv-module; it has no merge window."""

    def version(self) -> str:
        return _first_line([str(self.required()), "-v"])

    def argv(self, s: Settings, work: Path) -> list[str]:
        conf = work / "nginx.conf"
        conf.write_text(settings.nginx(s, work))
        return [str(self.required()), "-c", str(conf), "-p", str(work)]

    def path(self, s: Settings, stream: str, container: str) -> str:
        return f"/live?port={s.rtmp_port}&app=live&stream={stream}"


class NodeMediaServer(Server):
    """node-media-server, by its app.js; it has no merge window."""

    def version(self) -> str:
        for line in (self.required().parent.parent / "package.json").read_text().splitlines():
            if '"version"' in line:
                return line.split('"')[3]
        return ""

    def argv(self, s: Settings, work: Path) -> list[str]:
        node = shutil.which("node")
        if node is None:
            raise BenchError("node-media-server needs node on PATH")
        conf = work / "nms.json"
        conf.write_text(settings.node_media_server(s, work))
        return [node, str(self.required()), "-c", str(conf), "-b", "127.0.0.1", "--no-admin"]


class Floor(Server):
    """The bare send loop of native/floor.c; it replays the clip itself."""

    needs_publisher = False

    def version(self) -> str:
        return "bare send loop"

    def argv(self, s: Settings, work: Path) -> list[str]:
        return [str(self.required()), str(s.clip), str(s.http_port), str(s.window_ms)]


KINDS: dict[str, type[Server]] = {
    "fastflv": Fastflv,
    "before": Before,
    "srs": Srs,
    "zlm": Zlm,
    "nginx": Nginx,
    "nms": NodeMediaServer,
    "floor": Floor,
}
RIVALS = ("srs", "zlm", "nginx", "nms")
