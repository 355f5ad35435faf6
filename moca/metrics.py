"""Metrics: each is declared once, and goes to whoever asks for it.

- `emit()` writes log lines in CloudWatch's embedded metric format, which needs no API call.
- `record()` counts for OpenTelemetry (`moca.otel`) and for `/metrics` (`moca.exposition`). It
  returns at once while nobody asks for either.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

NAMESPACE = "MocaTriggers"
FUNCTION_NAME = "AWS_LAMBDA_FUNCTION_NAME"

Attributes = Mapping[str, str]


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class CloudWatch:
    """What a metric is in CloudWatch.

    Attributes:
        name: its name there.
        unit: `Count` or `Milliseconds`.
        value: makes its value there from the value and the attributes of a measurement.
    """

    name: str
    unit: str
    value: Callable[[float, Attributes], float] = lambda value, _: value


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """The declaration of a metric.

    Attributes:
        name: OpenTelemetry's name; `/metrics` shows it with underscores.
        kind: what its values are.
        unit: its unit, in UCUM: `s`, or a word in braces.
        description: what it says, in one sentence.
        buckets: the upper bounds of a histogram's buckets.
        cloudwatch: what it is in CloudWatch; empty if it does not go there.
    """

    name: str
    kind: Kind
    unit: str
    description: str
    buckets: tuple[float, ...] = ()
    cloudwatch: tuple[CloudWatch, ...] = ()


class Outlet(Protocol):
    """Where `record()` sends measurements."""

    def record(self, metric: Metric, value: float, attributes: Attributes) -> None:
        """Count a measurement. It never blocks, and raises nothing."""


_outlets: list[Outlet] = []


def use(outlet: Outlet) -> None:
    """Send all measurements to one more outlet from now on."""
    _outlets.append(outlet)


def leave(outlet: Outlet) -> None:
    """Send nothing to an outlet any more."""
    if outlet in _outlets:
        _outlets.remove(outlet)


def is_recorded() -> bool:
    """Whether anybody asks for what `record()` counts."""
    return bool(_outlets)


def record(metric: Metric, value: float, **attributes: str) -> None:
    """Count a measurement: add to a counter or a histogram, or set a gauge."""
    for outlet in _outlets:
        outlet.record(metric, value, attributes)


def emit(*measurements: tuple[Metric, float, Attributes]) -> None:
    """Write one line with measurements for CloudWatch.

    In a Lambda function, the function's name is their dimension: it separates installations that
    share an account.
    """
    found = {
        each.name: (each.value(value, attributes), each.unit)
        for metric, value, attributes in measurements
        for each in metric.cloudwatch
    }
    names = [{"Name": name, "Unit": unit} for name, (_, unit) in found.items()]
    dimensions = {"FunctionName": os.environ[FUNCTION_NAME]} if FUNCTION_NAME in os.environ else {}
    directive = {"Namespace": NAMESPACE, "Dimensions": [[*dimensions]], "Metrics": names}
    line = {
        "_aws": {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [directive]},
        **dimensions,
        **{name: value for name, (value, _) in found.items()},
    }
    sys.stdout.write(json.dumps(line) + "\n")
