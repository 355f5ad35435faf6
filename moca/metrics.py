"""Metrics as log lines in CloudWatch's embedded metric format, which needs no API call.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import os
import sys
import time

NAMESPACE = "MocaTriggers"
FUNCTION_NAME = "AWS_LAMBDA_FUNCTION_NAME"


def emit(**metrics: tuple[float, str]) -> None:
    """Write one line with metrics, each a value and its unit (`Count`, `Milliseconds`).

    In a Lambda function, the function's name is their dimension: it separates installations that
    share an account.
    """
    names = [{"Name": name, "Unit": unit} for name, (_, unit) in metrics.items()]
    dimensions = {"FunctionName": os.environ[FUNCTION_NAME]} if FUNCTION_NAME in os.environ else {}
    directive = {"Namespace": NAMESPACE, "Dimensions": [[*dimensions]], "Metrics": names}
    line = {
        "_aws": {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [directive]},
        **dimensions,
        **{name: value for name, (value, _) in metrics.items()},
    }
    sys.stdout.write(json.dumps(line) + "\n")
