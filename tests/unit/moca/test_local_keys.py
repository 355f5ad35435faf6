"""Keys in the data directory, and its permissions."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_bytes

from django.conf import settings

from moca.local_keys import kept, make_private, secret_key


def test_key_is_kept(tmp_path: Path) -> None:
    assert secret_key(tmp_path / "new") == secret_key(tmp_path / "new")


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    secret_key(tmp_path)
    assert stat.S_IMODE((tmp_path / "secret-key").stat().st_mode) == 0o600


def test_all_that_start_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: kept(tmp_path / "key", lambda: token_bytes(32)), range(40)))
    assert len(keys) == 1


def test_nothing_else_is_left_behind(tmp_path: Path) -> None:
    secret_key(tmp_path)
    secret_key(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["secret-key"]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_directory_is_its_owners_alone(tmp_path: Path) -> None:
    secret_key(tmp_path / "new")
    assert mode(tmp_path / "new") == 0o700


def test_a_directory_of_before_is_mended(tmp_path: Path) -> None:
    directory = tmp_path / "var"
    directory.mkdir(mode=0o755)
    (directory / "moca.sqlite3").touch(mode=0o644)
    make_private(directory)
    assert (mode(directory), mode(directory / "moca.sqlite3")) == (0o700, 0o600)


def test_a_directory_that_all_share_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    (tmp_path / "file").touch(mode=0o644)
    make_private(tmp_path)
    assert (mode(tmp_path), mode(tmp_path / "file")) == (0o1777, 0o644)


def test_a_link_to_elsewhere_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.touch(mode=0o644)
    directory = tmp_path / "var"
    directory.mkdir()
    (directory / "link").symlink_to(outside)
    make_private(directory)
    assert mode(outside) == 0o644


def test_every_command_mends_the_data_directory(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment |= {"MOCA_DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "moca.settings"}
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "check"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert mode(tmp_path) == 0o700
