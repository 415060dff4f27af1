"""Figures of the process and the machine under SRS's names, as the kernel counts them."""

from __future__ import annotations

import os
import resource
from typing import Final

from fastflv.servers.api.machine import CpuMeter, memory_kbyte, now_ms, read_proc

STAT: Final = (
    "ppid", "pgrp", "session", "tty_nr", "tpgid", "flags", "minflt", "cminflt", "majflt", "cmajflt", "utime", "stime",
    "cutime", "cstime", "priority", "nice", "num_threads", "itrealvalue", "starttime", "vsize", "rss", "rsslim",
    "startcode", "endcode", "startstack", "kstkesp", "kstkeip", "signal", "blocked", "sigignore", "sigcatch", "wchan",
    "nswap", "cnswap", "exit_signal", "processor", "rt_priority", "policy", "delayacct_blkio_ticks", "guest_time",
    "cguest_time",
)  # fmt: skip
"Fields of /proc/self/stat behind the state, in their order (proc(5)). `rsslim` is -1 without a limit."

USAGE: Final = (
    "ru_maxrss", "ru_ixrss", "ru_idrss", "ru_isrss", "ru_minflt", "ru_majflt", "ru_nswap", "ru_inblock", "ru_oublock",
    "ru_msgsnd", "ru_msgrcv", "ru_nsignals", "ru_nvcsw", "ru_nivcsw",
)  # fmt: skip
"Fields of getrusage(2) behind the two times."

TIMES: Final = ("user", "nice", "sys", "idle", "iowait", "irq", "softirq", "steal", "guest")
"Of the first line of /proc/stat, in its order, clock ticks."

MEMORY: Final = (
    "MemActive", "RealInUse", "NotInUse", "MemTotal", "MemFree", "Buffers", "Cached", "SwapTotal", "SwapFree",
)  # fmt: skip
"KiB."

UNLIMITED: Final = 1 << 63


def usage() -> dict[str, object]:
    """What the process used since its start; the two times in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "ok": True,
        "sample_time": now_ms(),
        "ru_utime": int(used.ru_utime),
        "ru_stime": int(used.ru_stime),
        **{name: getattr(used, name) for name in USAGE},
    }


def process(meter: CpuMeter) -> dict[str, object]:
    """The fields of /proc/self/stat; `percent`: cores."""
    text = read_proc("/proc/self/stat")
    # A command may have blanks and brackets in its name.
    comm = text[text.find("(") : text.rfind(")") + 1]
    words = text[text.rfind(")") + 1 :].split()
    values = [int(word) for word in words[1:]] + [0] * len(STAT)
    fields = dict(zip(STAT, values, strict=False))
    if fields["rsslim"] >= UNLIMITED:
        fields["rsslim"] = -1
    return {
        "ok": bool(words),
        "sample_time": now_ms(),
        "percent": round(meter.shares()[0], 4),
        "pid": os.getpid(),
        "comm": comm,
        "state": words[0] if words else "",
        **fields,
    }


def machine_times(meter: CpuMeter) -> dict[str, object]:
    """The times of all processors together, clock ticks; `percent`: part of the time that they worked, 0 to 1."""
    words = read_proc("/proc/stat").partition("\n")[0].split()[1:]
    values = [int(word) for word in words] + [0] * len(TIMES)
    return {
        "ok": bool(words),
        "sample_time": now_ms(),
        "percent": round(meter.shares()[1], 4),
        **dict(zip(TIMES, values, strict=False)),
    }


def memory() -> dict[str, object]:
    """Memory of the machine; the two percentages are parts, 0 to 1."""
    said = memory_kbyte()
    total, free = said.get("MemTotal", 0), said.get("MemFree", 0)
    spare = free + said.get("Buffers", 0) + said.get("Cached", 0)
    swap, swap_free = said.get("SwapTotal", 0), said.get("SwapFree", 0)
    counted = {
        **{name: said.get(name, 0) for name in MEMORY},
        "MemActive": total - free,
        "RealInUse": max(total - spare, 0),
        "NotInUse": min(spare, total),
    }
    return {
        "ok": bool(said),
        "sample_time": now_ms(),
        "percent_ram": round((total - spare) / total, 4) if total else 0.0,
        "percent_swap": round((swap - swap_free) / swap, 4) if swap else 0.0,
        **counted,
    }
