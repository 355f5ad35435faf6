"""The installation, and code that all apps share.

Its import selects the time zone data, and keeps httpx from loading its own command line, which is
8 MB and 75 ms where click and rich are installed.
"""

import sys

from moca.zone_data import use_newest

use_newest()
# None stops an import (Python Language Reference, 5.3.1). httpx does without then.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
