"""Django's own tests, of the installed version, from its source distribution."""

import subprocess
import sys
import tempfile
from pathlib import Path

import django

from moca.dynamodb.local import cache, unpack


def django_tests() -> Path:
    """The folder of Django's tests, fetched by pip first where it is missing."""
    place = cache() / f"django-{django.__version__}"
    if not place.exists():
        _fetch(place)
    return next(place.glob("*/tests"))


def _fetch(place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as directory:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run(
            [*pip, "--no-binary", "django", f"--dest={directory}", f"django=={django.__version__}"],
            check=True,
        )
        unpack(next(Path(directory).glob("*.tar.gz")), place)
