"""What the kernel says about this process and machine, read from /proc when somebody asks."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from fastflv import limits
from fastflv.config.model.server import Stats
from fastflv.servers.api.disks import DiskMeter
from fastflv.servers.api.network import NetworkBytes, interfaces, network_bytes

PAGE = os.sysconf("SC_PAGE_SIZE")


def read_proc(path: str) -> str:
    """Return a text of the kernel; empty where it cannot be read."""
    with suppress(OSError):
        return Path(path).read_text("ascii", "replace")
    return ""


class CpuMeter:
    """CPU use between two askings, as a share of one core (process) or of all (machine), 0 to 1 per core."""

    def __init__(self) -> None:
        self._process = (time.monotonic(), time.process_time())
        self._machine = self._machine_times()
        self._shares = (0.0, 0.0)

    def shares(self) -> tuple[float, float]:
        """Return (process, machine) since the last asking; soon after it the same again."""
        now, used = time.monotonic(), time.process_time()
        passed = now - self._process[0]
        if passed >= limits.MACHINE_SAMPLE_SECONDS:
            busy, total = self._machine_times()
            spent = total - self._machine[1]
            self._shares = (
                (used - self._process[1]) / passed,
                (busy - self._machine[0]) / spent if spent > 0 else 0.0,
            )
            self._process = (now, used)
            self._machine = (busy, total)
        return self._shares

    @staticmethod
    def _machine_times() -> tuple[float, float]:
        first = read_proc("/proc/stat").partition("\n")[0].split()[1:9]
        times = [float(field) for field in first] or [0.0] * 8
        return sum(times) - times[3] - times[4], sum(times)


def resident_kbyte() -> int:
    """Resident memory of this process, KiB."""
    fields = read_proc("/proc/self/statm").split()
    return int(fields[1]) * PAGE // 1024 if len(fields) > 1 else 0


def memory_kbyte() -> dict[str, int]:
    """Fields of /proc/meminfo, KiB."""
    rows = (line.split() for line in read_proc("/proc/meminfo").splitlines())
    return {row[0].rstrip(":"): int(row[1]) for row in rows if len(row) >= 2}


def now_ms() -> int:
    """Wall clock, ms since 1970."""
    return int(time.time() * 1000)


def summary(
    meter: CpuMeter,
    disks: DiskMeter,
    stats: Stats,
    *,
    version: str,
    uptime: float,
    received: int,
    sent: int,
    connections: int,
) -> dict[str, object]:
    """The `data` of /api/v1/summaries, with SRS's names (`ilde_time` is spelled so there)."""
    process_share, machine_share = meter.shares()
    memory = memory_kbyte()
    total, free = memory.get("MemTotal", 0), memory.get("MemAvailable", 0)
    swap, swap_free = memory.get("SwapTotal", 0), memory.get("SwapFree", 0)
    resident = resident_kbyte()
    loads = os.getloadavg()
    up = [float(field) for field in read_proc("/proc/uptime").split()] or [0.0, 0.0]
    now = now_ms()
    net = network_bytes(stats.network) if stats.enabled else NetworkBytes()
    disk = disks.use(stats.disk if stats.enabled else ())
    sockets = _sockets()
    return {
        "ok": True,
        "now_ms": now,
        "self": {
            "version": version,
            "pid": os.getpid(),
            "ppid": os.getppid(),
            "argv": " ".join(sys.argv),
            "cwd": os.getcwd(),
            "mem_kbyte": resident,
            "mem_percent": round(resident / total, 4) if total else 0.0,
            "cpu_percent": round(process_share, 4),
            "srs_uptime": int(uptime),
        },
        "system": {
            "cpu_percent": round(machine_share, 4),
            "disk_read_KBps": disk.read_kbyte,
            "disk_write_KBps": disk.written_kbyte,
            "disk_busy_percent": round(disk.busy, 4),
            "mem_ram_kbyte": total,
            "mem_ram_percent": round((total - free) / total, 4) if total else 0.0,
            "mem_swap_kbyte": swap,
            "mem_swap_percent": round((swap - swap_free) / swap, 4) if swap else 0.0,
            "cpus": os.cpu_count() or 1,
            "cpus_online": len(os.sched_getaffinity(0)),
            "uptime": up[0],
            "ilde_time": up[1],
            "load_1m": loads[0],
            "load_5m": loads[1],
            "load_15m": loads[2],
            "net_sample_time": now,
            "net_recv_bytes": net.received,
            "net_send_bytes": net.sent,
            "net_recvi_bytes": net.received_inside,
            "net_sendi_bytes": net.sent_inside,
            "srs_sample_time": now,
            "srs_recv_bytes": received,
            "srs_send_bytes": sent,
            "conn_sys": sockets[0],
            "conn_sys_et": sockets[0],
            "conn_sys_tw": sockets[1],
            "conn_sys_udp": sockets[2],
            "conn_srs": connections,
        },
    }


def absent(stats: Stats) -> Iterator[str]:
    """One sentence for each device of *stats* that this machine has not."""
    if not stats.enabled:
        return
    names = interfaces()
    if stats.network >= len(names):
        yield f"stats.network is {stats.network}, but the interfaces with an IPv4 address are {', '.join(names)}"
    for device in stats.disk:
        if not Path("/sys/class/block", device.replace("/", "!")).exists():
            yield f"stats.disk: there is no block device {device}"


def _sockets() -> tuple[int, int, int]:
    """TCP sockets in use, in TIME_WAIT, and UDP sockets in use."""
    counts: dict[str, dict[str, int]] = {}
    for line in read_proc("/proc/net/sockstat").splitlines():
        name, _, rest = line.partition(":")
        fields = rest.split()
        counts[name] = {key: int(value) for key, value in zip(fields[::2], fields[1::2], strict=False)}
    tcp = counts.get("TCP", {})
    return tcp.get("inuse", 0), tcp.get("tw", 0), counts.get("UDP", {}).get("inuse", 0)
