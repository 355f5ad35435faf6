"""How many examples the tests of properties try: more where somebody takes the time."""

import os

# `make test EXAMPLES=10` sets it.
FACTOR = int(os.environ.get("TEST_EXAMPLES", "1"))


def examples(number: int) -> int:
    """So many examples, times TEST_EXAMPLES."""
    return number * FACTOR
