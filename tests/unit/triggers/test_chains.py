"""The kinds of the ends of runs."""

from triggers.chains import DETAIL_TYPES
from triggers.models import Outcome


def test_each_outcome_of_a_run_has_a_kind() -> None:
    assert DETAIL_TYPES.keys() == {str(each) for each in Outcome}
