"""Holding answers against the API's description, as strictly as a generated client reads them."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from moca.api.openapi import document

JSON = "application/json"
# Tests may give executions and triggers ids that are easier to read than UUIDs.
FORMATS = FormatChecker(["date-time"])
ALL_FORMATS = FormatChecker(["date-time", "uuid"])


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of all operations."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def resolved(value: dict[str, Any]) -> dict[str, Any]:
    """What a reference leads to."""
    while "$ref" in value:
        found: Any = document()
        for name in value["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        value = found
    return value


def faults(
    schema: dict[str, Any], value: Any, *, formats: FormatChecker = ALL_FORMATS, strict: bool = True
) -> list[str]:
    """What is wrong with a value; where it is read strictly, keys that are not described too."""
    validator = _validator(json.dumps(schema), strict, formats)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def check(method: str, path: str, response: Any) -> None:
    """Fail where an answer is none that the description of its operation knows."""
    operation = _operation(method, path.partition("?")[0].removesuffix("/"))
    # A body that is too large is refused where none belongs, too.
    if operation is None or (response.status_code == 413 and "requestBody" not in operation):
        return
    told = operation["responses"].get(str(response.status_code))
    assert told, f"{method} {path} does not tell of {response.status_code}"
    answer = resolved(told)
    if JSON not in answer["content"]:
        kind = response.headers["Content-Type"].partition(";")[0]
        assert kind in answer["content"], f"{method} {path} does not tell of {kind}"
        return
    wrong = faults(answer["content"][JSON]["schema"], response.json(), formats=FORMATS)
    assert (wrong, _missing(answer, response.headers)) == ([], set()), f"{method} {path}"


def _missing(answer: dict[str, Any], headers: Mapping[str, str]) -> Iterable[str]:
    return {name for name in answer["headers"] if name not in headers}


def _operation(method: str, path: str) -> dict[str, Any] | None:
    for known, its_method, operation in operations():
        pattern = re.sub(r"\{\w+\}", "[^/]+", known)
        if method == its_method and re.fullmatch(pattern, path):
            return operation
    return None


@cache
def _validator(schema: str, strict: bool, formats: FormatChecker) -> Draft202012Validator:
    whole = {**json.loads(schema), "components": document()["components"]}
    return Draft202012Validator(_closed(whole) if strict else whole, format_checker=formats)


def _closed(schema: Any) -> Any:
    """The same, but that objects have none but the keys that are described."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(one) for name, one in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        closed["additionalProperties"] = False
    return closed
