"""Schemathesis asks the API of a running server what its document allows, and what it does not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from publisher import Publisher, film, headers
from server import Server, until, vhost_text

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def test_no_request_of_the_document_breaks_it(serve: Callable[..., Server], tmp_path) -> None:
    server = serve(vhost_text(publish="grace 2;"))
    with Publisher(server.rtmp) as publisher:
        publisher.publish("schema")
        publisher.tags([*headers(), *film(50)])
        until(lambda: server.streams().get("schema", {}).get("recv_bytes", 0) > 10_000, "media")
        command = [
            sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{server.api}/api/v1/openapi.json",
            "--checks", CHECKS, "--max-examples", "10", "--seed", "1", "--workers", "2",
            "--phases", "examples,coverage,fuzzing", "--no-color", "--request-timeout", "20",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
