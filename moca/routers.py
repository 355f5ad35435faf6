"""Which apps have tables: all but those that Django brings for features not used here."""

from typing import Any

WITHOUT_TABLES = {"auth", "contenttypes", "admin", "sessions"}


class WithoutTables:
    """Keep migrate and test databases from making tables that no code of ours reads."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return False if app_label in WITHOUT_TABLES else None
