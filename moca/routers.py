"""Database router: makes no tables for those of Django's apps whose tables are not used."""

from typing import Any

WITHOUT_TABLES = {"auth", "contenttypes", "admin", "sessions"}


class WithoutTables:
    """Keeps `migrate` and test databases from making tables that no code reads."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return False if app_label in WITHOUT_TABLES else None
