"""The configuration files that the servers are started with. All listen on 127.0.0.1 only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fanout.certificate import Certificate


@dataclass(frozen=True, slots=True)
class Settings:
    """What one start of one server asks for."""

    rtmp_port: int
    http_port: int
    api_port: int
    window_ms: int
    "Merge window; 0 sends each frame as it comes."

    max_players: int
    clip: Path
    threads: int = 1
    "Sender threads (fastflv) or event threads (ZLMediaKit)."

    extra: str = ""
    "Lines added to the play block of fastflv or SRS."

    vhost: str = ""
    "Lines added to the vhost of fastflv or SRS; `{work}` stands for the folder of the run."

    protocol: str = "flv"
    "What the players speak: one of `PROTOCOLS`."

    workers: int = 1
    "Processes of fastflv on the same ports."

    https_port: int = 0
    certificate: Certificate | None = None
    "For HTTPS."

    @property
    def hls(self) -> bool:
        """The lines of the vhost ask for HLS."""
        return "hls {" in self.vhost


PROTOCOLS = ("flv", "ts", "ws", "https", "rtmp")
"HTTP-FLV, HTTP-TS, WebSocket-FLV, HTTPS-FLV, RTMP."


AUTO = -1
"A merge window that follows the load (fastflv)."


def window_text(window_ms: int) -> str:
    """Return a merge window as `mw_latency` takes it."""
    return "auto" if window_ms == AUTO else str(window_ms)


def _srs_style(s: Settings, root: str, play: str, mounts: str, vhost: str = "") -> str:
    https = ""
    if s.protocol == "https" and s.certificate:
        files = f"key {s.certificate.key}; cert {s.certificate.cert};"
        https = f"https {{ enabled on; listen 127.0.0.1:{s.https_port}; {files} }}"
    return f"""listen 127.0.0.1:{s.rtmp_port};
max_connections {s.max_players + 100};
daemon off;
{root}
http_api {{ enabled on; listen 127.0.0.1:{s.api_port}; }}
http_server {{ enabled on; listen 127.0.0.1:{s.http_port}; {https} }}
vhost __defaultVhost__ {{
    play {{ gop_cache on; mw_latency {window_text(s.window_ms)}; {play} }}
    {vhost}
    http_remux {{ enabled on; mount {mounts}; }}
}}
"""


FLV_MOUNT = "[vhost]/[app]/[stream].flv"
TS_MOUNT = "[vhost]/[app]/[stream].ts"


def fastflv(s: Settings, work: Path) -> str:
    """The same file as SRS's, with the number of sender threads; FLV and TS at once."""
    mounts = f"{FLV_MOUNT} {TS_MOUNT}" if s.protocol == "ts" else FLV_MOUNT
    root = f"fanout_threads {s.threads}; srs_log_tank console;"
    return _srs_style(s, root, s.extra, mounts, s.vhost.replace("{work}", str(work)))


def srs(s: Settings, work: Path) -> str:
    """SRS at its defaults but for the window; fewer log lines, and no question to its home about versions.

    A vhost of SRS has one live mount: FLV or TS.
    """
    root = f"""srs_log_tank file;
srs_log_file {work}/srs.log;
srs_log_level_v2 warn;
pid {work}/srs.pid;
work_dir {work};
query_latest_version off;
heartbeat {{ enabled off; }}
rtc_server {{ enabled off; }}
srt_server {{ enabled off; }}"""
    least = "min_latency on;" if s.window_ms == 0 else ""
    vhost = f"{least} {s.vhost.replace('{work}', str(work))}"
    return _srs_style(s, root, s.extra, TS_MOUNT if s.protocol == "ts" else FLV_MOUNT, vhost)


def zlm(s: Settings, work: Path) -> str:
    """ZLMediaKit with one container, RTMP and FLV or TS: others would cost it CPU that the rest does not pay."""
    ts = int(s.protocol == "ts")
    return f"""[general]
mergeWriteMS={s.window_ms}
listen_ip=127.0.0.1
[api]
apiDebug=0
secret=0123456789abcdef0123456789abcdef
[protocol]
enable_hls={int(s.hls)}
enable_hls_fmp4=0
enable_mp4=0
enable_rtsp=0
enable_ts={ts}
enable_fmp4=0
enable_rtmp={1 - ts}
[http]
port={s.http_port}
sslport={s.https_port if s.protocol == "https" else 0}
rootPath={work}
[rtmp]
port={s.rtmp_port}
sslport=0
[rtsp]
port=0
sslport=0
[rtp_proxy]
port=0
[shell]
port=0
[onvif]
port=0
[hook]
enable=0
"""


def nginx(s: Settings, work: Path) -> str:
    """One worker, no pings: the publisher does not answer them."""
    return f"""worker_processes 1;
daemon off;
master_process off;
pid {work}/nginx.pid;
error_log {work}/error.log error;
worker_rlimit_nofile {s.max_players + 200};
events {{ worker_connections {s.max_players + 100}; }}
rtmp {{
    access_log off;
    ping 1h;
    ping_timeout 1h;
    server {{
        listen 127.0.0.1:{s.rtmp_port};
        application live {{ live on; gop_cache on; }}
    }}
}}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{s.http_port} backlog=4096;
        location /live {{ flv_live on; chunked_transfer_encoding on; }}
    }}
}}
"""


def node_media_server(s: Settings, work: Path) -> str:
    """RTMP and HTTP only; no recording, no sessions."""
    return json.dumps(
        {
            "bind": "127.0.0.1",
            "rtmp": {"port": s.rtmp_port},
            "http": {"port": s.http_port},
            "auth": {"play": False, "publish": False},
            "store": {"path": f"{work}/data"},
            "record": {"path": f"{work}/record", "auto": False},
        }
    )
