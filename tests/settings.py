"""The application's settings, kept apart from the developer's own data and configuration."""

import argparse
import atexit
import os
import shutil
import tempfile

OWN = (
    "AGENT_",
    "AWS_",
    "COGNITO_",
    "DATABASE_",
    "DYNAMODB_",
    "EVENT_",
    "METRICS_",
    "MOCA_",
    "OTEL_",
    "SCHEDULER_",
    "TRIGGERS_",
)
# Settings are read before pytest has read its arguments. A worker of xdist has none, and all of
# its environment from the process that started it.
_parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
_parser.add_argument("--database", default=os.environ.get("TEST_DATABASE", "sqlite"))
TEST_DATABASE = os.environ["TEST_DATABASE"] = _parser.parse_known_args()[0].database
if "PYTEST_XDIST_WORKER" not in os.environ:
    for name in list(os.environ):
        if name.startswith(OWN):
            del os.environ[name]
    if TEST_DATABASE != "sqlite":
        os.environ |= {
            "DATABASE_URL": "dynamodb://moca",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }
os.environ["MOCA_DATA_DIR"] = tempfile.mkdtemp(prefix="moca-tests-")
atexit.register(shutil.rmtree, os.environ["MOCA_DATA_DIR"], ignore_errors=True)

from moca.settings import *  # noqa: E402, F403

# A real one takes half a second for each operator and each sign-in.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# What tests of triggers listen to; the rules of these are somebody else's.
EVENT_SOURCES_CONFIG = "\n".join(
    f"- {{id: {name}, name: {name.title()}, kind: bus}}"
    for name in ("orders", "s", "s1", "s3", "uploads")
)
