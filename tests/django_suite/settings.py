"""Settings with which Django's runtests.py runs on DynamoDB."""

import os

NAME = os.environ["TEST_TABLE"]
OPTIONS = {"region_name": "us-east-1"}
DATABASES = {
    alias: {
        "ENGINE": "moca.dynamodb",
        "NAME": f"{NAME}-{alias}",
        "OPTIONS": OPTIONS,
    }
    for alias in ("default", "other")
}
TEST_RUNNER = "tests.django_suite.results.Runner"

# As in Django's own settings for SQLite.
SECRET_KEY = "django_tests_secret_key"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
