import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_bytes

from moca.local_keys import kept, secret_key


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
