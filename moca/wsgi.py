"""The WSGI application, which also works below a path prefix."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

from moca import telemetry
from moca.charsets import drop_unusable_charset
from moca.prefixes import find_prefix

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "moca.settings")

_django = get_wsgi_application()
telemetry.start()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request, whether or not a proxy has removed the prefix from its path."""
    find_prefix(environ)
    drop_unusable_charset(environ)
    return _django(environ, start_response)
