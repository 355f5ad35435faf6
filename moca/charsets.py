"""Takes charsets that Django cannot read texts by out of requests, before Django reads them."""

import codecs
from email.message import Message
from typing import Any

# Codecs of names, whose errors Django does not expect.
OF_NAMES = {"idna", "punycode"}


def drop_unusable_charset(environ: dict[str, Any]) -> None:
    """Remove a charset such as zlib from the content type of a request.

    Django ignores a charset that Python does not know. With a codec of Python that is no charset,
    it would fail before there is a request, and anybody could fill the log.
    """
    content_type = environ.get("CONTENT_TYPE", "")
    if "charset" not in content_type.lower():
        return
    message = Message()
    message["Content-Type"] = content_type
    charset = message.get_param("charset")
    if not isinstance(charset, str) or not _is_usable(charset):
        environ["CONTENT_TYPE"] = content_type.partition(";")[0].strip()


def _is_usable(charset: str) -> bool:
    try:
        name = codecs.lookup(charset).name
        b"?".decode(charset)
    except UnicodeDecodeError:
        return True
    except (LookupError, UnicodeError, ValueError):
        return False
    return name not in OF_NAMES
