"""One answer of several workers: what each of them says of itself, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from fastflv.protocols.http.message import Request
from fastflv.servers.api.paging import page_of

Answer = Mapping[str, Any]
Merge = Callable[[Sequence[Answer], Request], dict[str, object]]
"Takes the answers of all workers, good or not, and the request."

ADDED_SELF: Final = ("mem_kbyte", "mem_percent", "cpu_percent")
ADDED_SYSTEM: Final = ("srs_recv_bytes", "srs_send_bytes", "conn_srs")
"Figures of a summary that belong to one worker; all others are of the machine."


def added(values: Iterable[Any]) -> Any:
    """Add up numbers, and the members of objects; of anything else the first counts."""
    found = list(values)
    first = found[0]
    if isinstance(first, Mapping):
        return {name: added(each[name] for each in found if name in each) for name in first}
    if isinstance(first, int | float) and not isinstance(first, bool):
        return sum(found)
    return first


def first_good(answers: Sequence[Answer], request: Request) -> dict[str, object]:
    """Return the answer of the worker that has what was asked for, else what any says."""
    return dict(next((each for each in answers if not each.get("code")), answers[0]))


def located(answers: Sequence[Answer], request: Request) -> dict[str, object]:
    """Return the answer of the worker that publishes the stream, else what any says."""
    return dict(next((each for each in answers if each.get("data", {}).get("origin")), answers[0]))


def streams(answers: Sequence[Answer], request: Request) -> dict[str, object]:
    """Return one row for each stream: that of its publisher's worker, with the clients and bytes sent of all."""
    rows: dict[str, list[Answer]] = {}
    for answer in answers:
        for row in answer.get("streams", ()):
            rows.setdefault(row["id"], []).append(row)
    # Each worker gives its first rows by id, so that a row of the page has all its copies here.
    merged = [_stream(rows[id]) for id in sorted(rows)]
    start, count = page_of(request)
    copies = sum(map(len, rows.values())) - len(rows)
    return {"streams": merged[start : start + count], "total": _total(answers) - copies}


def stream(answers: Sequence[Answer], request: Request) -> dict[str, object]:
    """Return the row of one stream likewise."""
    rows = [each["stream"] for each in answers if "stream" in each]
    return {"stream": _stream(rows)} if rows else dict(answers[0])


def _stream(rows: list[Answer]) -> dict[str, object]:
    own = [row for row in rows if not row["publish"]["pulled"]] or rows
    main = dict(next((row for row in own if row["publish"]["active"]), own[0]))
    # Each worker that pulls is a client of the first, and has a publisher of its own.
    main["clients"] = sum(row["clients"] for row in rows) - 2 * sum(row["publish"]["pulled"] for row in rows)
    main["send_bytes"] = sum(row["send_bytes"] for row in rows)
    main["kbps"] = {
        "recv_30s": main["kbps"]["recv_30s"],
        "send_30s": sum(row["kbps"]["send_30s"] for row in rows),
    }
    return main


def clients(answers: Sequence[Answer], request: Request) -> dict[str, object]:
    """Return the clients of all workers; those that are gone the newest first."""
    rows = [row for answer in answers for row in answer.get("clients", ())]
    rows.sort(key=lambda row: -row.get("ended_ms", 0))
    start, count = page_of(request)
    return {"clients": rows[start : start + count], "total": _total(answers)}


def forwards(answers: Sequence[Answer], request: Request) -> dict[str, object]:
    """Return the forwards of all workers: each stream is forwarded by the one that publishes it."""
    rows = [row for answer in answers for row in answer.get("forwards", ())]
    start, count = page_of(request)
    return {"forwards": rows[start : start + count], "total": _total(answers)}


def _total(answers: Sequence[Answer]) -> int:
    """Add up the rows that each worker has, sent or not."""
    return sum(answer.get("total", 0) for answer in answers)


def vhosts(answers: Sequence[Answer], request: Request) -> dict[str, object]:
    """Return the vhosts, with what all workers count."""
    return {"vhosts": [_vhost(rows) for rows in zip(*(each["vhosts"] for each in answers), strict=False)]}


def vhost(answers: Sequence[Answer], request: Request) -> dict[str, object]:
    """Return one vhost likewise."""
    rows = [each["vhost"] for each in answers if "vhost" in each]
    return {"vhost": _vhost(rows)} if rows else dict(answers[0])


def _vhost(rows: Sequence[Answer]) -> dict[str, object]:
    sums = {
        name: added(row[name] for row in rows) for name in ("clients", "send_bytes", "recv_bytes", "kbps")
    }
    return {**rows[0], **sums, "streams": max(row["streams"] for row in rows)}


def summary(answers: Sequence[Answer], request: Request) -> dict[str, object]:
    """Return the summary of the machine, with CPU, memory, traffic and connections of all workers."""
    data = [each["data"] for each in answers]
    return {
        "data": {
            **data[0],
            "self": {**data[0]["self"], **_sums(data, "self", ADDED_SELF)},
            "system": {**data[0]["system"], **_sums(data, "system", ADDED_SYSTEM)},
        }
    }


def _sums(data: Sequence[Answer], part: str, names: Iterable[str]) -> dict[str, object]:
    return {name: sum(each[part][name] for each in data) for name in names}


MERGES: Final[Mapping[tuple[str, str], Merge]] = {
    ("GET", "/api/v1/streams"): streams,
    ("GET", "/api/v1/streams/{id}"): stream,
    ("DELETE", "/api/v1/streams/{id}/publisher"): first_good,
    ("GET", "/api/v1/clients"): clients,
    ("GET", "/api/v1/clients/{id}"): first_good,
    ("DELETE", "/api/v1/clients/{id}"): first_good,
    ("GET", "/api/v1/forwards"): forwards,
    ("GET", "/api/v1/vhosts"): vhosts,
    ("GET", "/api/v1/vhosts/{id}"): vhost,
    ("GET", "/api/v1/summaries"): summary,
    ("GET", "/api/v1/clusters"): located,
    ("POST", "/api/v1/clusters"): located,
}
"By method and path of the operation; all others are answered by the worker that is asked."

LISTS: Final = ("/api/v1/streams", "/api/v1/clients", "/api/v1/forwards")
"Each worker is asked for the rows up to the end of the page, WORKER_ROWS_MAX at most."
