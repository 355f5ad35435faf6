"""Evaluates conditions and expressions on a row in Python, with SQL's three-valued logic.

DynamoDB cannot compute: this module tests the conditions that a key condition cannot express. It
knows lookups and expressions by their exact type, because a subclass may mean something else.
"""

import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from functools import cache
from typing import Any

from django.db import NotSupportedError
from django.db.models import lookups
from django.db.models.expressions import (
    Col,
    Combinable,
    CombinedExpression,
    ExpressionWrapper,
    Value,
)
from django.db.models.fields import related_lookups as related
from django.db.models.fields.json import (
    JSONExact,
    JSONIContains,
    KeyTransform,
    KeyTransformExact,
)
from django.db.models.sql.where import AND, OR, XOR, NothingNode, WhereNode

from moca.dynamodb.layout import Row
from moca.dynamodb.planner import Condition, Terms

# True, False, or None for unknown.
Truth = bool | None


@cache
def _regex(pattern: str, flags: int) -> re.Pattern[str]:
    return re.compile(pattern, flags)


_EXACT = {lookups.Exact, lookups.IntegerFieldExact, related.RelatedExact}
_IN = {lookups.In, related.RelatedIn}
_IS_NULL = {lookups.IsNull, related.RelatedIsNull}
_COMPARISONS: dict[type, tuple[str, Callable[[Any, Any], bool]]] = {
    lookups.GreaterThan: (">", operator.gt),
    lookups.IntegerGreaterThan: (">", operator.gt),
    related.RelatedGreaterThan: (">", operator.gt),
    lookups.GreaterThanOrEqual: (">=", operator.ge),
    lookups.IntegerGreaterThanOrEqual: (">=", operator.ge),
    related.RelatedGreaterThanOrEqual: (">=", operator.ge),
    lookups.LessThan: ("<", operator.lt),
    lookups.IntegerLessThan: ("<", operator.lt),
    related.RelatedLessThan: ("<", operator.lt),
    lookups.LessThanOrEqual: ("<=", operator.le),
    lookups.IntegerLessThanOrEqual: ("<=", operator.le),
    related.RelatedLessThanOrEqual: ("<=", operator.le),
}
_TEXTS: dict[type, Callable[[str, str], bool]] = {
    lookups.Contains: lambda text, part: part in text,
    lookups.IContains: lambda text, part: part.casefold() in text.casefold(),
    lookups.StartsWith: str.startswith,
    lookups.IStartsWith: lambda text, part: text.casefold().startswith(part.casefold()),
    lookups.EndsWith: str.endswith,
    lookups.IEndsWith: lambda text, part: text.casefold().endswith(part.casefold()),
    lookups.IExact: lambda text, part: text.casefold() == part.casefold(),
    lookups.Regex: lambda text, pattern: bool(_regex(pattern, 0).search(text)),
    lookups.IRegex: lambda text, pattern: bool(_regex(pattern, re.IGNORECASE).search(text)),
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    Combinable.ADD: operator.add,
    Combinable.SUB: operator.sub,
    Combinable.MUL: operator.mul,
    Combinable.DIV: operator.truediv,
    Combinable.MOD: operator.mod,
    Combinable.POW: operator.pow,
    Combinable.BITAND: operator.and_,
    Combinable.BITOR: operator.or_,
    Combinable.BITXOR: operator.xor,
    Combinable.BITLEFTSHIFT: operator.lshift,
    Combinable.BITRIGHTSHIFT: operator.rshift,
}


def refuse(what: Any, hint: str = "") -> NotSupportedError:
    """The error of a part of a query that is not supported."""
    name = what if isinstance(what, str) else type(what).__name__
    return NotSupportedError(f"DynamoDB does not support {name}{f': {hint}' if hint else '.'}")


class Conditions:
    """A query's WHERE, which tests rows and tells the planner what it requires.

    Args:
        where: the tree.
        names: the names of the model's fields by column.
        alias: the table's alias in the query.

    Raises:
        NotSupportedError: the tree has a node that this module cannot evaluate.
    """

    def __init__(self, where: WhereNode | None, names: Mapping[str, str], alias: str) -> None:
        self._names, self._alias = names, alias
        self._where = where
        self.fields: set[str] = set()
        self.parts = [self._part(node) for node in _top(where)]

    def _part(self, node: Any) -> Condition:
        words, comparison = self._describe(node), self._comparison(node, type(node))
        if comparison is None:
            return Condition(words)
        name, operator_, _ = comparison
        return Condition(words, name, operator_)

    def __str__(self) -> str:
        return " AND ".join(part.words for part in self.parts)

    def hold(self, row: Row) -> bool:
        """Whether a row meets the conditions."""
        return self._where is None or self._truth(self._where, row) is True

    def value(self, expression: Any, row: Row) -> Any:
        """The value of an expression for a row."""
        kind = type(expression)
        if kind is Col:
            return row[self.name(expression)]
        if kind is Value:
            return expression.value
        if kind is ExpressionWrapper:
            return self.value(expression.expression, row)
        if kind is KeyTransform:
            found = self._within(expression, row)
            return found[0] if found else None
        if kind.__name__ in _COMBINED and expression.connector in _ARITHMETIC:
            left = self.value(expression.lhs, row)
            right = self.value(expression.rhs, row)
            if left is None or right is None:
                return None
            return _ARITHMETIC[expression.connector](left, right)
        raise refuse(expression)

    def _within(self, transform: Any, row: Row) -> list[Any]:
        """The value at a path within JSON, as a list of one; empty if there is none."""
        if type(transform) is not KeyTransform:
            value = self.value(transform, row)
            return [] if value is None else [value]
        found, key = self._within(transform.lhs, row), str(transform.key_name)
        for value in found:
            if isinstance(value, dict) and key in value:
                return [value[key]]
            if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                return [value[int(key)]]
        return []

    def name(self, column: Col) -> str:
        """The name of a column's field; NotSupportedError if it is another table's."""
        if column.alias != self._alias:
            raise refuse("a join", f"{column.alias}.{column.target.column} is another table's")
        name = self._names[column.target.column]
        self.fields.add(name)
        return name

    # Three-valued logic

    def _truth(self, node: Any, row: Row) -> Truth:
        kind = type(node)
        if kind is WhereNode:
            truth = _CONNECTORS[node.connector](self._truth(each, row) for each in node.children)
            return truth if not node.negated or truth is None else not truth
        if kind is NothingNode:
            return False
        return self._lookup(node, kind, row)

    def _lookup(self, node: Any, kind: type, row: Row) -> Truth:
        left = self.value(node.lhs, row)
        if kind in _IS_NULL:
            return (left is None) == bool(node.rhs)
        if kind in _IN:
            return _is_in(left, self._operands(node, row))
        if kind is lookups.Range:
            low, high = self._operands(node, row)
            return _all(iter([_compare(operator.ge, left, low), _compare(operator.le, left, high)]))
        right = self._operand(node.rhs, row)
        if kind in _JSON:
            found = self._within(node.lhs, row)
            return _JSON[kind](found[0], right) if found else None
        if kind in _EXACT:
            return _compare(operator.eq, left, right)
        if kind in _COMPARISONS:
            return _compare(_COMPARISONS[kind][1], left, right)
        if kind in _TEXTS:
            if left is None or right is None:
                return None
            return _TEXTS[kind](_as_text(left), _as_text(right))
        raise refuse(node)

    def _operands(self, node: Any, row: Row) -> list[Any]:
        if not isinstance(node.rhs, Iterable):
            raise refuse("a subquery", "read the values first")
        return [self._operand(each, row) for each in node.rhs]

    def _operand(self, operand: Any, row: Row) -> Any:
        return self.value(operand, row) if hasattr(operand, "resolve_expression") else operand

    # The conditions in words. This finds unsupported nodes before anything is read.

    def _describe(self, node: Any) -> str:
        kind = type(node)
        if kind is WhereNode:
            words = f" {node.connector} ".join(map(self._describe, node.children))
            if len(node.children) > 1:
                words = f"({words})"
            return f"NOT {words}" if node.negated else words
        if kind is NothingNode:
            return "nothing"
        known = (*_EXACT, *_IN, *_IS_NULL, *_COMPARISONS, *_TEXTS, lookups.Range)
        if kind not in known and kind not in _JSON:
            raise refuse(node, "conditions on single fields are")
        if kind in _IN and not isinstance(node.rhs, list | tuple | set | frozenset):
            if not _is_plain_iterable(node.rhs):
                raise refuse("a subquery", "read the values first")
        elif hasattr(node.rhs, "resolve_expression"):
            self._check(node.rhs)
        return f"{self._check(node.lhs)} {node.lookup_name}"

    def _check(self, expression: Any) -> str:
        """The expression in words; NotSupportedError if it cannot be evaluated."""
        kind = type(expression)
        if kind is Col:
            return self.name(expression)
        if kind is Value:
            return "value"
        if kind is KeyTransform:
            return f"{self._check(expression.lhs)}.{expression.key_name}"
        if kind is ExpressionWrapper:
            return self._check(expression.expression)
        if kind.__name__ in _COMBINED and expression.connector in _ARITHMETIC:
            left, right = self._check(expression.lhs), self._check(expression.rhs)
            return f"{left} {expression.connector} {right}"
        raise refuse(expression)

    check = _check

    # For the planner

    def terms(self) -> Terms:
        """What the conditions require of single fields."""
        terms = Terms()
        if self._where is not None:
            self._collect(self._where, terms)
        return terms

    def plain(self) -> list[tuple[str, str, Any]] | None:
        """The conditions as comparisons that must all hold, or None if they are no such list.

        A comparison is a field's name, an operator (`=`, `in`, `null`, `<`, `<=`, `>` or `>=`) and
        a value.
        """
        found = [self._comparison(node, type(node)) for node in _top(self._where)]
        return None if None in found else [each for each in found if each is not None]

    def _comparison(self, node: Any, kind: type) -> tuple[str, str, Any] | None:
        if kind is WhereNode or kind is NothingNode:
            return None
        if type(node.lhs) is not Col or hasattr(node.rhs, "resolve_expression"):
            return None
        name = self._names[node.lhs.target.column]
        if kind in _EXACT:
            return name, "=", node.rhs
        if kind in _IN:
            return name, "in", [value for value in node.rhs if value is not None]
        if kind in _IS_NULL:
            return name, "null", bool(node.rhs)
        if kind in _COMPARISONS:
            return name, _COMPARISONS[kind][0], node.rhs
        return None

    def _collect(self, node: WhereNode, terms: Terms) -> None:
        if node.negated:
            self._collect_negated(node, terms)
            return
        if node.connector != AND and len(node.children) > 1:
            if node.connector == OR:
                terms.alternatives.append([self._branch(child) for child in node.children])
            return
        for child in node.children:
            if type(child) is WhereNode:
                self._collect(child, terms)
            elif type(child) is NothingNode:
                terms.values["nothing"] = []
            else:
                self._collect_lookup(child, terms)

    def _collect_negated(self, node: WhereNode, terms: Terms) -> None:
        """Collect "is not null", the only negation that helps to choose keys."""
        only = node.children[0] if len(node.children) == 1 else None
        if isinstance(only, lookups.IsNull) and only.rhs and type(only.lhs) is Col:
            terms.present.add(self.name(only.lhs))

    def _branch(self, node: Any) -> Terms:
        terms = Terms()
        if type(node) is WhereNode:
            self._collect(node, terms)
        else:
            self._collect_lookup(node, terms)
        return terms

    def _collect_lookup(self, node: Any, terms: Terms) -> None:
        kind = type(node)
        if kind is KeyTransformExact and type(node.lhs.lhs) is Col and isinstance(node.rhs, str):
            terms.narrow(f"{self.name(node.lhs.lhs)}.{node.lhs.key_name}", [node.rhs])
        elif type(node.lhs) is Col and _is_constant(node.rhs):
            self._collect_comparison(self.name(node.lhs), kind, node.rhs, terms)

    def _collect_comparison(self, name: str, kind: type, value: Any, terms: Terms) -> None:
        ranges: list[tuple[str, Any]] = []
        if kind in _EXACT:
            terms.narrow(name, [value])
        elif kind in _IN:
            terms.narrow(name, list(value))
        elif kind in _IS_NULL and not value:
            terms.present.add(name)
        elif kind in _COMPARISONS:
            ranges = [(_COMPARISONS[kind][0], value)]
        elif kind is lookups.StartsWith:
            ranges = [("^", value)]
        elif kind is lookups.Range:
            ranges = [(">=", value[0]), ("<=", value[1])]
        if ranges:
            terms.ranges.setdefault(name, []).extend(ranges)


def _top(where: WhereNode | None) -> Iterator[Any]:
    """The conditions that must all hold."""
    if where is None:
        return
    if where.negated or (where.connector != AND and len(where.children) > 1):
        yield where
        return
    for node in where.children:
        if type(node) is WhereNode:
            yield from _top(node)
        else:
            yield node


_COMBINED = {CombinedExpression.__name__, "DurationExpression", "TemporalSubtraction"}


def _is_constant(value: Any) -> bool:
    """Whether a right-hand side is a value, or a list of values."""
    if isinstance(value, list | tuple | set | frozenset):
        return not any(hasattr(each, "resolve_expression") for each in value)
    return not hasattr(value, "resolve_expression") and not hasattr(value, "query")


def _is_plain_iterable(value: Any) -> bool:
    return isinstance(value, Iterable) and _is_constant(value)


def _all(truths: Iterator[Truth]) -> Truth:
    return _decided_by(False, truths)


def _any(truths: Iterator[Truth]) -> Truth:
    return _decided_by(True, truths)


def _decided_by(decisive: bool, truths: Iterator[Truth]) -> Truth:
    """AND (`decisive` False) or OR (`decisive` True) of truths, with None for unknown."""
    result: Truth = not decisive
    for truth in truths:
        if truth is decisive:
            return decisive
        if truth is None:
            result = None
    return result


def _odd(truths: Iterator[Truth]) -> Truth:
    # Like Django's own SQL for databases without XOR, in which unknown does not count.
    found = list(truths)
    return _all(iter([_any(iter(found)), sum(map(bool, found)) % 2 == 1]))


_CONNECTORS: dict[str, Callable[[Iterator[Truth]], Truth]] = {AND: _all, OR: _any, XOR: _odd}


def _compare(compare: Callable[[Any, Any], bool], left: Any, right: Any) -> Truth:
    if left is None or right is None:
        return None
    try:
        return bool(compare(left, right))
    except TypeError:
        return bool(compare(_as_text(left), _as_text(right)))


def _is_in(left: Any, values: list[Any]) -> Truth:
    return None if left is None else left in [value for value in values if value is not None]


def _json_equal(left: Any, right: Any) -> bool:
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def _in_json(left: Any, right: Any) -> bool:
    return bool(str(right).casefold() in json.dumps(left).casefold())


# Lookups on a JSON value, or on the value at a path within it.
_JSON: dict[type, Callable[[Any, Any], bool]] = {
    KeyTransformExact: _json_equal,
    JSONExact: _json_equal,
    JSONIContains: _in_json,
}


def _as_text(value: Any) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            value = value.astimezone(UTC).replace(tzinfo=None)
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)
