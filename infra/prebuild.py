"""Compiles Python modules before Zappa makes a zip (`prebuild_script` in zappa_settings.json)."""

import compileall
import sysconfig
from py_compile import PycInvalidationMode

OWN = ("agents", "alerts", "console", "events", "executions", "mcp_server", "moca", "triggers")


def compile_modules() -> None:
    """Compile all modules, because Lambda keeps no compiled modules between cold starts.

    Python ignores a compiled module if its time differs from that of the source, and zips do not
    keep times. A module compiled with a hash of the source is valid in a zip and in a checkout.
    Python checks the hashes of our modules, which developers edit. It does not read the sources of
    installed packages, whose files only pip replaces, together with the compiled ones.
    """
    for folder in (*OWN, sysconfig.get_path("purelib")):
        compileall.compile_dir(
            folder,
            quiet=2,
            force=folder in OWN,
            workers=0,
            invalidation_mode=(
                PycInvalidationMode.CHECKED_HASH
                if folder in OWN
                else PycInvalidationMode.UNCHECKED_HASH
            ),
        )
