"""`cluster` and `forward` of a vhost: checked, and compiled to what the layer is told."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from fastflv.cluster.address import parse_origin
from fastflv.cluster.options import DirectoryOptions, EdgeOptions, ForwardOptions, pulled
from fastflv.config.destination import Destination
from fastflv.config.grammar.problems import Problems
from fastflv.config.masking import masked
from fastflv.config.model.cluster import ClusterMode, PullProtocol
from fastflv.config.model.vhost import Vhost
from fastflv.control.ownfiles import check_own_module
from fastflv.net.httpclient import url_fault
from fastflv.stream.publication import PublishOptions

REDIRECTED: Final = frozenset({"play", "publish"})


def check_origins(vhost: Vhost, problems: Problems) -> None:
    """Add a problem for each origin of an edge that is none."""
    cluster = vhost.cluster
    if not vhost.enabled or cluster.mode is not ClusterMode.REMOTE or vhost.source is None:
        return
    at = vhost.source.sub("cluster").value("origin", split=True)
    for index, word in enumerate(at.words if at is not None else ()):
        try:
            parse_origin(word, cluster.protocol.scheme)
        except ValueError as error:
            assert at is not None
            problems.add(at.error(f"cannot be '{masked(word)}'", str(error), word=index))


def edge_options(vhost: Vhost, publish: PublishOptions) -> EdgeOptions | None:
    """Return how the streams of a vhost are fetched; None where they are published here."""
    cluster = vhost.cluster
    if cluster.mode is not ClusterMode.REMOTE:
        return None
    follow, protocol = cluster.follow_client, cluster.protocol
    by_http = protocol in (PullProtocol.FLV, PullProtocol.FLVS)
    rtmp = PullProtocol.RTMP.scheme if by_http else protocol.scheme
    http = PullProtocol.FLVS.scheme if protocol is PullProtocol.FLVS else PullProtocol.FLV.scheme
    return EdgeOptions(
        tuple(parse_origin(each, rtmp if follow else protocol.scheme) for each in cluster.origin),
        tuple(parse_origin(each, http) for each in cluster.origin) if follow else (),
        tuple(parse_origin(each, rtmp) for each in cluster.origin),
        traverse=cluster.token_traverse,
        scheme=rtmp if follow else protocol.scheme,
        http_scheme=http if follow else "",
        directory=cluster.directory,
        vhost=cluster.vhost,
        upnode=cluster.debug_srs_upnode,
        linger=cluster.linger,
        warm=cluster.warm,
        publish=pulled(publish),
    )


def check_directory(vhost: Vhost, problems: Problems) -> None:
    """Add a problem for a directory of *vhost* that cannot be used, and for a word of `redirect` that means nothing."""
    cluster = vhost.cluster
    if not vhost.enabled or not cluster.directory or vhost.source is None:
        return
    section = vhost.source.sub("cluster")
    at, redirect = section.value("directory"), section.value("redirect", split=True)
    assert at is not None
    # A server without a directory does not load it.
    check_own_module("fastflv.cluster.directorylink", "directory")
    from fastflv.cluster.directorylink import directory_fault

    fault = directory_fault(cluster.directory)
    if fault:
        problems.add(at.error(fault, "for example 'directory redis://127.0.0.1:6379/0;'"))
    elif find_spec("redis") is None:
        problems.add(at.error("needs the package redis", "run: pip install 'fastflv[redis]'"))
    for index, word in enumerate(redirect.words if redirect is not None else ()):
        if word not in REDIRECTED and word != "off":
            assert redirect is not None
            problems.add(
                redirect.error(f"cannot be '{word}'", "write play, publish, both, or off", word=index)
            )


def directory_options(vhost: Vhost) -> DirectoryOptions | None:
    """Return how a vhost uses its directory; None where it has none."""
    cluster = vhost.cluster
    if not vhost.enabled or not cluster.directory:
        return None
    return DirectoryOptions(
        cluster.directory,
        cluster.advertise,
        edge=cluster.mode is ClusterMode.REMOTE,
        redirect=REDIRECTED & frozenset(cluster.redirect),
        max_players=cluster.max_players,
        max_kbps=cluster.max_bandwidth,
    )


def check_forward(vhost: Vhost, problems: Problems) -> None:
    """Add a problem for each destination of *vhost* that cannot be one, and for a backend that cannot be asked."""
    forward = vhost.forward
    if not vhost.enabled or not forward.enabled or vhost.source is None:
        return
    section = vhost.source.sub("forward")
    destinations, backend = section.value("destination", split=True), section.value("backend")
    for index, word in enumerate(destinations.words if destinations is not None else ()):
        try:
            Destination.parse(word)
        except ValueError as error:
            assert destinations is not None
            problems.add(destinations.error("has a server that cannot be one", str(error), word=index))
    fault = url_fault(forward.backend) if forward.backend else ""
    if fault and backend is not None:
        problems.add(
            backend.error(f"'{masked(forward.backend)}' {fault}", "write the whole URL of the backend")
        )


def forward_options(vhost: Vhost) -> ForwardOptions | None:
    """Return where the streams of a vhost are forwarded to; None where `forward` is off, and on an edge."""
    forward = vhost.forward
    if not forward.enabled or vhost.cluster.mode is ClusterMode.REMOTE:
        return None
    destinations = (Destination.parse(word, secure=forward.rtmps) for word in forward.destination)
    return ForwardOptions(tuple(dict.fromkeys(destinations)), forward.backend, forward.tls_verify)
