"""What all apps share. Whatever runs imports it before it reads a time zone."""

from moca.zone_data import use_newest

use_newest()
