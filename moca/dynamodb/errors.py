"""The error of a write that another write came before."""

from django.db import OperationalError


class ConflictError(OperationalError):
    """Somebody else changed or deleted a row that this transaction relies on; nothing was written.

    Raised where the write is made or, by a database that writes a transaction at its end, from
    the end of the outermost `atomic()`. Read anew and repeat, or give way.
    """
