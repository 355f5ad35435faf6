"""The installation, and code that all apps share. Its import selects the time zone data."""

from moca.zone_data import use_newest

use_newest()
