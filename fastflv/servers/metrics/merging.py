"""One scrape of several workers: their texts, put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

SHARED: Final = frozenset(
    {
        "fastflv_connections_max",
        "fastflv_merge_window_seconds",
        "fastflv_stream_frame_rate",
        "fastflv_stream_keyframe_interval_seconds",
        "fastflv_stream_gop_bytes",
        "fastflv_stream_ingest_jitter_seconds",
        "fastflv_stream_av_skew_seconds",
        "fastflv_stream_publishers",
        "fastflv_build_info",
        "srs_node_uname_info",
    }
)
"Gauges that say the same in each worker that has them: the greatest counts. All else adds up."


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def merge_texts(texts: Sequence[str]) -> bytes:
    """Return the text of all workers: samples of equal names and labels are one."""
    found: dict[str, Metric] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for text in texts:
        for family in text_string_to_metric_families(text):
            found.setdefault(family.name, family)
            samples = values.setdefault(family.name, {})
            for sample in family.samples:
                key = sample.name, tuple(sample.labels.items())
                if key not in samples:
                    samples[key] = sample.value
                elif family.name in SHARED:
                    samples[key] = max(samples[key], sample.value)
                else:
                    samples[key] += sample.value
    merged = []
    for name, family in found.items():
        metric = Metric(name, family.documentation, family.type)
        for (full_name, labels), value in values[name].items():
            metric.add_sample(full_name, dict(labels), value)
        merged.append(metric)
    return generate_latest(_Families(merged))
