"""What a pass over the runs that wait for their turn costs."""

from collections.abc import Callable

import pytest
from django.utils import timezone

from executions.runner.lines import repair
from tests.integration.dynamodb.conftest import Measuring
from tests.integration.lines.test_lines import listen, wait_long
from triggers.models import Trigger

__all__ = ["listen"]


@pytest.mark.parametrize(
    ("number", "passes"),
    # Of 450 runs that wait, a pass looks at 200, and the third one at the rest.
    [(0, [1.0] * 4), (2, [6.5] * 4), (450, [210.0, 211.0, 57.0, 210.0])],
)
def test_read_units(
    listen: Callable[..., Trigger], units_read: Measuring, number: int, passes: list[float]
) -> None:
    if number:
        wait_long(listen(max_concurrent=1), number)
    found = []
    for _ in range(4):
        with units_read() as units:
            repair(timezone.now())
        found.append(sum(units))
    assert found == passes
