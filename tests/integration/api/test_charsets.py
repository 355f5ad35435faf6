"""A content type with any charset gets an answer of the application."""

from typing import Any

import pytest
from django.test import RequestFactory

from moca.wsgi import application


def status_of(content_type: str) -> str:
    """The status of a request with an empty body, by the WSGI application."""
    request = RequestFactory().post("/health?xn--a")
    environ = {**request.environ, "CONTENT_TYPE": content_type}
    found: list[str] = []

    def start(status: str, *_rest: Any) -> None:
        found.append(status)

    list(application(environ, start))
    return found[0]


@pytest.mark.parametrize("charset", ["zlib", "rot13", "base64", "idna", "undefined", "a\0b"])
def test_a_codec_that_is_no_charset(charset: str) -> None:
    assert status_of(f"text/plain; charset={charset}").startswith("405")


@pytest.mark.parametrize("charset", ["utf-8", '"latin-1"', "utf-16", "bogus", "", "*=x''y"])
def test_another_charset(charset: str) -> None:
    assert status_of(f"text/plain; charset={charset}").startswith("405")
