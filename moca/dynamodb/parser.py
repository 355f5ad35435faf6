"""Parses DynamoDB's answers faster than botocore, for `client`.

botocore walks each attribute of each item along the service's model, which takes longer than
everything that Django does with a row. The JSON of an item already has the wanted form, except for
binary values.
"""

from base64 import b64decode
from typing import Any

from botocore.parsers import JSONParser, ResponseParserFactory

Value = dict[str, Any]


class ItemParser(JSONParser):
    """botocore's parser of the protocol `json`, without the walk through items."""

    def _handle_map(self, shape: Any, value: dict[str, Any]) -> dict[str, Any]:
        if shape.value.name == "AttributeValue":
            return {name: _with_bytes(each) for name, each in value.items()}
        parsed: dict[str, Any] = super()._handle_map(shape, value)  # type: ignore[misc]
        return parsed


class ItemParserFactory(ResponseParserFactory):
    """Makes an ItemParser for DynamoDB's protocol, and botocore's own parser for any other."""

    def create_parser(self, protocol_name: str) -> Any:
        if protocol_name == "json":
            return ItemParser(**self._defaults)  # type: ignore[attr-defined]
        return super().create_parser(protocol_name)


def _with_bytes(value: Value) -> Value:
    for kind, inner in value.items():
        if kind == "M":
            return {"M": {name: _with_bytes(each) for name, each in inner.items()}}
        if kind == "L":
            return {"L": [_with_bytes(each) for each in inner]}
        if kind == "B":
            return {"B": b64decode(inner)}
        if kind == "BS":
            return {"BS": [b64decode(each) for each in inner]}
    return value
