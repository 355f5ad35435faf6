"""The reader of imports finds what the layers' tests look for, in trees made up for it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.project.imports import Tree, read_tree

MakeTree = Callable[[dict[str, str]], Tree]


@pytest.fixture
def tree(tmp_path: Path) -> MakeTree:
    """Make and read a tree of the packages `shop` and `stock`, from sources by their paths."""

    def make(sources: dict[str, str]) -> Tree:
        for name in ("shop/__init__.py", "stock/__init__.py"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        for name, source in sources.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(source)
        return read_tree(tmp_path, ["shop", "stock"])

    return make


IN_FUNCTION = "def sell():\n    from stock import shelf\n"
FOR_TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import stock.shelf\n"


@pytest.mark.parametrize(
    "source", ["import stock.shelf", "from stock.shelf import take", IN_FUNCTION, FOR_TYPES]
)
def test_circle_is_found_wherever_an_import_stands(tree: MakeTree, source: str) -> None:
    made = tree({"shop/till.py": source, "stock/shelf.py": "from shop import till"})
    assert sorted(set(made.circle())) == ["shop.till", "stock.shelf"]


def test_circle_by_relative_imports_is_found(tree: MakeTree) -> None:
    made = tree({"shop/till.py": "from .bill import total", "shop/bill.py": "from . import till"})
    assert sorted(set(made.circle())) == ["shop.bill", "shop.till"]


def test_circle_through_a_package_is_found(tree: MakeTree) -> None:
    made = tree(
        {
            "stock/__init__.py": "from stock.shelf import take",
            "stock/shelf.py": "from shop.till import pay",
            "shop/till.py": "from stock.weight import kilograms",
            "stock/weight.py": "",
        }
    )
    assert "shop.till" in made.circle()


def test_modules_in_a_row_are_no_circle(tree: MakeTree) -> None:
    made = tree(
        {
            "stock/__init__.py": "from stock.shelf import take",
            "stock/shelf.py": "from stock.weight import kilograms",
            "stock/weight.py": "import json",
            "shop/till.py": "import stock",
        }
    )
    assert made.circle() == []


@pytest.mark.parametrize("source", ["import shop.till", IN_FUNCTION.replace("stock", "shop")])
def test_import_upwards_is_found(tree: MakeTree, source: str) -> None:
    made = tree({"stock/shelf.py": source, "shop/till.py": "", "shop/shelf.py": ""})
    assert len(made.importing("stock", ["shop"])) == 1


def test_import_of_a_longer_name_is_another(tree: MakeTree) -> None:
    made = tree({"stock/shelf.py": "import shopping"})
    assert made.importing("stock", ["shop"]) == set()


def test_library_is_reached_through_another_module(tree: MakeTree) -> None:
    made = tree(
        {
            "shop/till.py": "import json\nfrom stock.shelf import take",
            "stock/shelf.py": "def take():\n    from django.db import models",
        }
    )
    assert made.reaching("shop", []) == {"shop.till reaches django"}


def test_library_that_is_allowed_may_be_reached(tree: MakeTree) -> None:
    made = tree({"shop/till.py": "import httpx", "stock/shelf.py": "import django"})
    assert made.reaching("shop", ["httpx"]) == set()


def test_part_of_a_library_is_told_from_its_neighbours(tree: MakeTree) -> None:
    made = tree({"shop/till.py": "import http.server", "shop/bill.py": "from http import client"})
    assert made.users("http.client") == {"shop/bill.py"}


def test_libraries_are_those_of_others(tree: MakeTree) -> None:
    made = tree({"shop/till.py": "import json, stock, boto3.s3", "shop/bill.py": "import yaml"})
    assert made.libraries() == {"boto3", "yaml"}


@pytest.mark.parametrize(("comment", "found"), [("", 1), ("  # large", 1), ("  # 20 ms", 0)])
def test_import_within_a_function_has_to_say_its_time(
    tree: MakeTree, comment: str, found: int
) -> None:
    made = tree({"shop/till.py": f"import json\n\ndef sell():\n    import yaml{comment}"})
    assert len(made.unexplained()) == found
