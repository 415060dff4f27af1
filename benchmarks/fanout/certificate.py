"""The certificate that every server gets for HTTPS: self-signed, made once with openssl, kept in the cache."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fanout.errors import BenchError

KEY = "rsa:2048"  # what SRS and ZLMediaKit bring along, and most certificate authorities sign
DAYS = "3650"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A key and its certificate, PEM."""

    key: Path
    cert: Path
    both: Path
    "Certificate and key in one file."


def cached(cache: Path) -> Certificate:
    """Return the certificate, making it on first use."""
    base = cache / f"tls-{KEY.replace(':', '')}"
    found = Certificate(*(base.with_suffix(suffix) for suffix in (".key", ".crt", ".pem")))
    if found.both.exists():
        return found
    openssl = shutil.which("openssl")
    if openssl is None:
        raise BenchError("HTTPS needs a certificate and the openssl command makes it: install openssl")
    command = [openssl, "req", "-x509", "-nodes", "-newkey", KEY, "-sha256", "-days", DAYS]
    command += ["-subj", "/CN=127.0.0.1", "-keyout", str(found.key), "-out", str(found.cert)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"openssl could not make a certificate: {done.stderr.strip().splitlines()[-1:]}")
    part = base.with_suffix(".part")
    part.touch(0o600)
    part.write_text(found.cert.read_text() + found.key.read_text())
    part.rename(found.both)
    return found
