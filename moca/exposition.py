"""The text format of Prometheus, version 0.0.4, and the counts of one process for it.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moca.metrics import Attributes, Kind, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# So many series of one process are counted. What comes after is left out.
MOST_SERIES = 5_000
UNITS = {"s": "_seconds"}

Key = tuple[Metric, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Sample:
    """A series with its value: a number, or for a histogram its counts and the sum at the end."""

    name: str
    labels: Mapping[str, str]
    value: float | Sequence[float]


class Registry:
    """Counts the measurements of this process. It is an outlet of `moca.metrics`.

    Gauges are left out: each process sees the same queue, which is read when it is asked for.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: dict[Key, list[float]] = {}

    def record(self, metric: Metric, value: float, attributes: Attributes) -> None:
        if metric.kind is Kind.GAUGE:
            return
        key = metric, tuple(sorted(attributes.items()))
        with self._lock:
            counts = self._series.get(key)
            if counts is None:
                if len(self._series) >= MOST_SERIES:
                    return
                size = len(metric.buckets) + 2 if metric.kind is Kind.HISTOGRAM else 1
                counts = self._series[key] = [0.0] * size
            counts[-1] += value
            if metric.kind is Kind.HISTOGRAM:
                counts[bisect_left(metric.buckets, value)] += 1

    def snapshot(self) -> list[list[Any]]:
        """All series as JSON keeps them: the name of the metric, the labels and the counts."""
        with self._lock:
            return [
                [metric.name, dict(labels), list(counts)]
                for (metric, labels), counts in self._series.items()
            ]


def text(samples: Iterable[Sample], metrics: Iterable[Metric]) -> str:
    """The exposition of all samples of some metrics."""
    by_name: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_name[sample.name].append(sample)
    lines: list[str] = []
    for metric in metrics:
        if own := by_name.get(metric.name):
            lines += _family(metric, own)
    return "".join(f"{line}\n" for line in lines)


def _family(metric: Metric, samples: Sequence[Sample]) -> list[str]:
    name = metric.name.replace(".", "_") + UNITS.get(metric.unit, "")
    name += "_total" if metric.kind is Kind.COUNTER else ""
    lines = [f"# HELP {name} {metric.description}", f"# TYPE {name} {metric.kind}"]
    for sample in samples:
        if metric.kind is Kind.HISTOGRAM:
            lines += _histogram(name, metric, sample)
        else:
            value = sample.value if isinstance(sample.value, int | float) else sample.value[-1]
            lines.append(f"{name}{_labels(sample.labels)} {_number(value)}")
    return lines


def _histogram(name: str, metric: Metric, sample: Sample) -> list[str]:
    if isinstance(sample.value, int | float) or len(sample.value) != len(metric.buckets) + 2:
        # An earlier release has counted in other buckets.
        return []
    *counts, total = sample.value
    lines, so_far = [], 0.0
    for bound, count in zip([*map(_number, metric.buckets), "+Inf"], counts, strict=True):
        so_far += count
        labels = _labels({**sample.labels, "le": bound})
        lines.append(f"{name}_bucket{labels} {_number(so_far)}")
    labels = _labels(sample.labels)
    return [
        *lines,
        f"{name}_sum{labels} {_number(total)}",
        f"{name}_count{labels} {_number(so_far)}",
    ]


def _labels(labels: Mapping[str, str]) -> str:
    pairs = (f'{name.replace(".", "_")}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{','.join(pairs)}}}" if labels else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
