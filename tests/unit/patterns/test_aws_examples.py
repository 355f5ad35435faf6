"""The examples of the EventBridge User Guide, page by page, each with events of either kind."""

import pytest

from events.patterns import parse

EC2 = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "111122223333",
    "time": "2017-12-22T18:43:48Z",
    "region": "us-west-1",
    "resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0"],
    "detail": {"instance-id": "i-1234567890abcdef0", "state": "terminated"},
}
AUTO_SCALING = {
    "version": "0",
    "id": "3e3c153a-8339-4e30-8c35-687ebef853fe",
    "detail-type": "EC2 Instance Launch Successful",
    "source": "aws.autoscaling",
    "account": "123456789012",
    "time": "2015-11-11T21:31:47Z",
    "region": "us-east-1",
    "resources": [],
    "detail": {"eventVersion": "", "responseElements": None},
}
MACIE = {
    "detail-type": "Macie Alert",
    "source": "aws.macie",
    "detail": {
        "tags": ["Custom_Alert", "Insider"],
        "risk-score": 80,
        "trigger": {"alert-type": "basic", "risk": 8},
    },
}
INSTANCES = [
    "arn:aws:ec2:us-east-1:123456789012:instance/i-b188560f",
    "arn:aws:ec2:us-east-1:111122223333:instance/i-b188560f",
    "arn:aws:ec2:us-east-1:444455556666:instance/i-b188560f",
]
GROUP = "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:eb56d16b:name/ASGTerminate"


def in_detail(field, *conditions):
    return {"detail": {field: list(conditions)}}


def detail(**fields):
    return {"detail": {name.replace("_", "-"): value for name, value in fields.items()}}


# "Creating Amazon EventBridge event patterns" and "Event pattern syntax".
TERMINATED = {
    "source": ["aws.ec2"],
    "detail-type": ["EC2 Instance State-change Notification"],
    "detail": {"state": ["terminated"]},
}
LAUNCHED = {
    "source": ["aws.autoscaling"],
    "detail-type": ["EC2 Instance Launch Successful"],
    "detail": {"responseElements": [None]},
}
RISK = {
    "source": ["aws.macie"],
    "detail-type": ["Macie Alert"],
    "detail": {"risk-score": [80], "trigger": {"risk": [8]}},
}
WITHOUT_DOTS = {"detail": {"state": {"status": ["running"]}}}
WITH_DOTS = {"detail": {"state.status": ["running"]}}
SYNTAX = [
    (TERMINATED, EC2, True),
    (TERMINATED, {**EC2, "source": "aws.ecs"}, False),
    (TERMINATED, {**EC2, "detail": {"state": "running"}}, False),
    (TERMINATED, {**EC2, "detail": {}}, False),
    (TERMINATED, {"state": "terminated", "source": "aws.ec2"}, False),
    ({"source": ["aws.ec2", "aws.fargate"]}, EC2, True),
    ({"source": ["aws.ec2", "aws.fargate"]}, {"source": "aws.fargate"}, True),
    ({"source": ["aws.ec2", "aws.fargate"]}, {"source": "aws.s3"}, False),
    ({"source": ["aws.ec2"]}, {"source": "AWS.EC2"}, False),
    (LAUNCHED, AUTO_SCALING, True),
    (RISK, MACIE, True),
    (RISK, {**MACIE, "detail": {"risk-score": 80, "trigger": {"risk": 7}}}, False),
    (WITHOUT_DOTS, {"detail": {"state": {"status": "running"}}}, True),
    (WITHOUT_DOTS, {"detail": {"state.status": "running"}}, True),
    (WITH_DOTS, {"detail": {"state": {"status": "running"}}}, True),
    (WITH_DOTS, {"detail": {"state.status": "running"}}, True),
    (WITH_DOTS, {"detail": {"state.status": "stopped"}}, False),
]

# "Matching null values and empty strings".
EMPTY = [
    (in_detail("eventVersion", ""), AUTO_SCALING, True),
    (in_detail("responseElements", None), AUTO_SCALING, True),
    (in_detail("responseElements", ""), AUTO_SCALING, False),
    (in_detail("eventVersion", None), AUTO_SCALING, False),
    (in_detail("absent", None), AUTO_SCALING, False),
    (in_detail("absent", ""), AUTO_SCALING, False),
]

# "Matching on multiple values of an event field".
ARRAYS = [
    ({"resources": INSTANCES}, {"resources": [GROUP, INSTANCES[0]]}, True),
    ({"resources": INSTANCES}, {"resources": [GROUP]}, False),
    ({"resources": INSTANCES}, {"resources": []}, False),
    ({"resources": INSTANCES}, {"resources": INSTANCES[2]}, True),
]

# "Comparison operators": the table, then each section.
TABLE = [
    ({"Location": ["New York"], "Day": ["Monday"]}, {"Location": "New York", "Day": "Monday"}, 1),
    ({"Location": ["New York"], "Day": ["Monday"]}, {"Location": "New York", "Day": "Friday"}, 0),
    ({"state": [{"anything-but": "initializing"}]}, {"state": "running"}, True),
    ({"state": [{"anything-but": "initializing"}]}, {"state": "initializing"}, False),
    ({"Region": [{"anything-but": {"prefix": "us-"}}]}, {"Region": "eu-west-1"}, True),
    ({"Region": [{"anything-but": {"prefix": "us-"}}]}, {"Region": "us-west-1"}, False),
    ({"FileName": [{"anything-but": {"suffix": ".png"}}]}, {"FileName": "a.txt"}, True),
    ({"FileName": [{"anything-but": {"suffix": ".png"}}]}, {"FileName": "a.png"}, False),
    ({"Region": [{"prefix": "us-"}]}, {"Region": "us-east-1"}, True),
    ({"Region": [{"prefix": "us-"}]}, {"Region": "eu-us-1"}, False),
    ({"service": [{"prefix": {"equals-ignore-case": "eventb"}}]}, {"service": "EventBridge"}, 1),
    ({"service": [{"prefix": {"equals-ignore-case": "eventb"}}]}, {"service": "MyEventB"}, 0),
    ({"LastName": [""]}, {"LastName": ""}, True),
    ({"LastName": [""]}, {"LastName": "Doe"}, False),
    ({"Name": ["Alice"]}, {"Name": "Alice"}, True),
    ({"Name": ["Alice"]}, {"Name": "alice"}, False),
    ({"Name": [{"equals-ignore-case": "alice"}]}, {"Name": "Alice"}, True),
    ({"Name": [{"equals-ignore-case": "alice"}]}, {"Name": "Alic"}, False),
    ({"FileName": [{"suffix": ".png"}]}, {"FileName": "a.png"}, True),
    ({"FileName": [{"suffix": ".png"}]}, {"FileName": "a.png.txt"}, False),
    ({"service": [{"suffix": {"equals-ignore-case": "tBridge"}}]}, {"service": "EVENTBRIDGE"}, 1),
    ({"service": [{"suffix": {"equals-ignore-case": "tBridge"}}]}, {"service": "Bridges"}, 0),
    ({"ProductName": [{"exists": True}]}, {"ProductName": "Tea"}, True),
    ({"ProductName": [{"exists": True}]}, {"ProductName": None}, True),
    ({"ProductName": [{"exists": True}]}, {"Price": 1}, False),
    ({"ProductName": [{"exists": False}]}, {"Price": 1}, True),
    ({"ProductName": [{"exists": False}]}, {"ProductName": ""}, False),
    ({"Weather": [{"anything-but": ["Raining"]}]}, {"Weather": "Sunny"}, True),
    ({"Weather": [{"anything-but": ["Raining"]}]}, {"Weather": "Raining"}, False),
    ({"UserID": [None]}, {"UserID": None}, True),
    ({"UserID": [None]}, {"UserID": 0}, False),
    ({"Price": [{"numeric": ["=", 100]}]}, {"Price": 100}, True),
    ({"Price": [{"numeric": ["=", 100]}]}, {"Price": "100"}, False),
    ({"Price": [{"numeric": [">", 10, "<=", 20]}]}, {"Price": 20}, True),
    ({"Price": [{"numeric": [">", 10, "<=", 20]}]}, {"Price": 10}, False),
    ({"PaymentType": ["Credit", "Debit"]}, {"PaymentType": "Debit"}, True),
    ({"PaymentType": ["Credit", "Debit"]}, {"PaymentType": "Cash"}, False),
    ({"$or": [{"Location": ["New York"]}, {"Day": ["Monday"]}]}, {"Day": "Monday"}, True),
    ({"$or": [{"Location": ["New York"]}, {"Day": ["Monday"]}]}, {"Day": "Friday"}, False),
    ({"FileName": [{"wildcard": "dir/*.png"}]}, {"FileName": "dir/sub/a.png"}, True),
    ({"FileName": [{"wildcard": "dir/*.png"}]}, {"FileName": "dir/.png"}, True),
    ({"FileName": [{"wildcard": "dir/*.png"}]}, {"FileName": "other/a.png"}, False),
]
IN_DAY = {"time": [{"prefix": "2017-10-02"}]}
NOT_STATES = {"anything-but": {"equals-ignore-case": ["initializing", "stopped"]}}
NOT_PATHS = {"anything-but": {"wildcard": ["*/lib/*", "*/bin/*"]}}
BUS = {"EventBusArn": [{"wildcard": "arn:aws:events:us-east-1:*:event-bus/*"}]}
OPERATORS = [
    (IN_DAY, {"time": "2017-10-02T18:43:48Z"}, True),
    (IN_DAY, {"time": "2017-10-03T18:43:48Z"}, False),
    (in_detail("state", {"anything-but": "initializing"}), detail(state="stopped"), True),
    (in_detail("x-limit", {"anything-but": 123}), detail(x_limit=124), True),
    (in_detail("x-limit", {"anything-but": 123}), detail(x_limit=123), False),
    (in_detail("x-limit", {"anything-but": 123}), detail(y_limit=124), False),
    (in_detail("state", {"anything-but": ["stopped", "overloaded"]}), detail(state="up"), True),
    (in_detail("state", {"anything-but": ["stopped", "full"]}), detail(state="full"), False),
    (in_detail("x-limit", {"anything-but": [100, 200, 300]}), detail(x_limit=201), True),
    (in_detail("x-limit", {"anything-but": [100, 200, 300]}), detail(x_limit=200), False),
    (in_detail("state", NOT_STATES), detail(state="running"), True),
    (in_detail("state", NOT_STATES), detail(state="Stopped"), False),
    (in_detail("state", {"anything-but": {"prefix": "init"}}), detail(state="up"), True),
    (in_detail("state", {"anything-but": {"prefix": ["init", "up"]}}), detail(state="up"), False),
    (in_detail("file", {"anything-but": {"suffix": [".txt", ".rtf"]}}), detail(file="a.rtf"), 0),
    (in_detail("file", {"anything-but": {"suffix": [".txt", ".rtf"]}}), detail(file="a.png"), 1),
    (in_detail("path", {"anything-but": {"wildcard": "*/lib/*"}}), detail(path="/lib/a"), False),
    (in_detail("path", NOT_PATHS), detail(path="/usr/bin/a"), False),
    (in_detail("path", NOT_PATHS), detail(path="/usr/libs/a"), True),
    (in_detail("ip", {"cidr": "10.0.0.0/24"}), detail(ip="10.0.0.24"), True),
    (in_detail("ip", {"cidr": "10.0.0.0/24"}), detail(ip="10.0.1.0"), False),
    (in_detail("c-count", {"exists": False}), detail(state="running"), True),
    (in_detail("c-count", {"exists": False}), detail(c_count={"c1": 100}), True),
    (in_detail("c-count", {"exists": True}), detail(c_count={"c1": 100}), False),
    (in_detail("c-count", {"exists": False}), detail(c_count=5), False),
    (
        {"detail-type": [{"equals-ignore-case": "ec2 instance state-change notification"}]},
        EC2,
        True,
    ),
    (BUS, {"EventBusArn": "arn:aws:events:us-east-1:123:event-bus/a"}, True),
    (BUS, {"EventBusArn": "arn:aws:events:us-east-2:123:event-bus/a"}, False),
]

COUNTS = {
    "c-count": [{"numeric": [">", 0, "<=", 5]}],
    "d-count": [{"numeric": ["<", 10]}],
    "x-limit": [{"numeric": ["=", 3.018e2]}],
}
COMPLEX = {
    "time": [{"prefix": "2017-10-02"}],
    "detail": {
        "state": [{"anything-but": "initializing"}],
        "c-count": [{"numeric": [">", 0, "<=", 5]}],
        "d-count": [{"numeric": ["<", 10]}],
        "x-limit": [{"anything-but": [100, 200, 300]}],
    },
}
BUSY = {"time": "2017-10-02T1", **detail(state="up", c_count=5, d_count=9, x_limit=301.8)}
ANY_COUNT = {"detail": {"$or": [{name: wanted} for name, wanted in COUNTS.items()]}}
CLOUDWATCH = {
    "source": ["aws.cloudwatch"],
    "$or": [
        {"metricName": ["CPUUtilization", "ReadLatency"]},
        {
            "metricType": ["MetricType"],
            "namespace": ["AWS/EC2", "AWS/ES"],
            "$or": [{"metricId": [1234]}, {"spaceId": [1000]}],
        },
        {"scope": ["Service"]},
    ],
}
PARALLEL = {
    "$or": [{"metricName": ["CPUUtilization"]}, {"namespace": ["AWS/EC2"]}],
    "detail": {"$or": [{"source": ["aws.cloudwatch"]}, {"type": ["Alarm"]}]},
}
METRIC = {"source": "aws.cloudwatch", "metricType": "MetricType", "namespace": "AWS/ES"}
COMBINED = [
    ({"detail": COUNTS}, detail(c_count=5, d_count=3, x_limit=301.8), True),
    ({"detail": COUNTS}, detail(c_count=0, d_count=3, x_limit=301.8), False),
    ({"detail": COUNTS}, detail(c_count=5, d_count=10, x_limit=301.8), False),
    ({"detail": COUNTS}, detail(c_count=5, d_count=3, x_limit=301.9), False),
    (COMPLEX, BUSY, True),
    (COMPLEX, {**BUSY, "time": "2017"}, False),
    (COMPLEX, {**BUSY, **detail(state="up", c_count=5, d_count=9, x_limit=300)}, False),
    (ANY_COUNT, detail(c_count=1), True),
    (ANY_COUNT, detail(d_count=1), True),
    (ANY_COUNT, detail(x_limit=301.8), True),
    (ANY_COUNT, detail(c_count=6, d_count=10, x_limit=301), False),
    (CLOUDWATCH, {"source": "aws.cloudwatch", "metricName": "ReadLatency"}, True),
    (CLOUDWATCH, {"source": "aws.cloudwatch", "scope": "Service"}, True),
    (CLOUDWATCH, {"source": "aws.ec2", "scope": "Service"}, False),
    (CLOUDWATCH, {**METRIC, "metricId": 1234}, True),
    (CLOUDWATCH, {**METRIC, "spaceId": 1000}, True),
    (CLOUDWATCH, {**METRIC, "spaceId": 1001}, False),
    (CLOUDWATCH, {**METRIC, "metricType": "Other", "metricId": 1234}, False),
    (PARALLEL, {"namespace": "AWS/EC2", "detail": {"type": "Alarm"}}, True),
    (PARALLEL, {"namespace": "AWS/EC2", "detail": {"type": "OK"}}, False),
    (PARALLEL, {"namespace": "AWS/ES", "detail": {"type": "Alarm"}}, False),
]


@pytest.mark.parametrize(
    ("pattern", "event", "expected"),
    [*SYNTAX, *EMPTY, *ARRAYS, *TABLE, *OPERATORS, *COMBINED],
)
def test_example_of_the_user_guide(pattern, event, expected):
    assert parse(pattern).matches(event) is bool(expected)
