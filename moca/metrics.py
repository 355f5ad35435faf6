"""Metrics as log lines in CloudWatch's embedded metric format, which needs no call.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import sys
import time

NAMESPACE = "MocaTriggers"


def emit(**metrics: tuple[float, str]) -> None:
    """Write one line with metrics, each a value and its unit (`Count`, `Milliseconds`)."""
    names = [{"Name": name, "Unit": unit} for name, (_, unit) in metrics.items()]
    directive = {"Namespace": NAMESPACE, "Dimensions": [[]], "Metrics": names}
    line = {
        "_aws": {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [directive]},
        **{name: value for name, (value, _) in metrics.items()},
    }
    sys.stdout.write(json.dumps(line) + "\n")
