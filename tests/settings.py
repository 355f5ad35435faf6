"""The application's settings, kept apart from the developer's own data and configuration."""

import atexit
import os
import shutil
import tempfile

OWN = ("AGENT_", "AWS_", "COGNITO_", "DATABASE_", "MOCA_", "SCHEDULER_", "TRIGGERS_")
for name in list(os.environ):
    if name.startswith(OWN):
        del os.environ[name]
os.environ["MOCA_DATA_DIR"] = tempfile.mkdtemp(prefix="moca-tests-")
atexit.register(shutil.rmtree, os.environ["MOCA_DATA_DIR"], ignore_errors=True)

from moca.settings import *  # noqa: E402, F403
