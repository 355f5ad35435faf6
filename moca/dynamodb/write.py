"""The part that the compilers of INSERT, UPDATE and DELETE share."""

from collections.abc import Callable
from typing import Any

from django.db.models import JSONField

from moca.dynamodb import codec
from moca.dynamodb.changes import Clause
from moca.dynamodb.client import CONTENTION_ATTEMPTS, pause
from moca.dynamodb.codec import Item
from moca.dynamodb.errors import ConflictError
from moca.dynamodb.evaluate import Conditions
from moca.dynamodb.layout import Key, Row
from moca.dynamodb.planner import keys_of, plan
from moca.dynamodb.statement import PlanningMixin
from moca.dynamodb.transaction import Transaction

Statement = Callable[[Transaction], int]


class WritingMixin(PlanningMixin):
    """Base of the compilers of INSERT, UPDATE and DELETE."""

    def run(self, statement: Statement, *, counts: bool = True) -> int:
        """Run a statement in the open transaction, or in a transaction of its own.

        In one of its own it is retried if another write came first: a lock would make it wait.

        Args:
            statement: adds its writes to a transaction, and returns the number of rows.
            counts: whether to retry.
        """
        self.connection.ensure_connection()
        if (open_one := self.connection.transaction) is not None:
            return statement(open_one)
        for attempt in range(CONTENTION_ATTEMPTS):
            own = Transaction()
            rows = statement(own)
            try:
                own.commit(self.connection.service)
            except ConflictError:
                if not counts or attempt == CONTENTION_ATTEMPTS - 1:
                    raise
                pause(attempt)
            else:
                return rows
        raise AssertionError("unreachable")

    def matching(
        self, conditions: Conditions, transaction: Transaction
    ) -> list[tuple[Key, Item, Row]]:
        """The rows that an update or deletion applies to, with all their fields."""
        terms = self.terms(conditions, transaction)
        chosen = plan(self.table, terms, conditions=conditions.parts)
        reader = self.reader(transaction)
        found = list(reader.found(chosen, conditions, list(self.table.fields)))
        for key, item, _ in found:
            if key not in transaction.pending:
                reader.remember(item)
        return found

    def looked_at(self, names: set[str] | frozenset[str]) -> frozenset[str]:
        """The attributes of fields, except fields of the key, which cannot change."""
        return frozenset(self.table.attributes[name] for name in names - self.table.key_names)

    def named_keys(self, conditions: Conditions) -> list[Key]:
        """The keys of all rows that the conditions allow, if they name them, else none."""
        terms = conditions.terms()
        return [] if terms.is_empty else keys_of(self.table, terms)

    def clauses(self, conditions: Conditions) -> tuple[Clause, ...] | None:
        """The conditions as clauses that DynamoDB checks, or None if it cannot check them."""
        plain = conditions.plain()
        if plain is None:
            return None
        found = []
        for name, operator, value in plain:
            if name in self.table.key_names:
                if operator not in ("=", "in"):
                    return None
                continue
            clause = self._clause(name, operator, value)
            if clause is None:
                return None
            found.append(clause)
        return tuple(found)

    def _clause(self, name: str, operator: str, value: Any) -> Clause | None:
        field = self.table.fields[name]
        if isinstance(field, JSONField):
            return None
        if other := self.table.layout.absent.get(name):
            # DynamoDB can check it only if a missing attribute cannot mean the same value.
            is_known = operator == "=" and value not in other.values
            encoded_value = codec.encode(field, value) if is_known else None
            return (
                Clause(self.table.attributes[name], "=", (encoded_value,))
                if encoded_value
                else None
            )
        attribute, empty = self.table.attributes[name], codec.empty(field)
        if operator == "null":
            if not field.null:
                return None
            return Clause(attribute, "null" if value else "present")
        values = value if operator == "in" else [value]
        encoded = [codec.encode(field, each) for each in values]
        given = tuple(each for each in encoded if each is not None)
        absent = not field.null and _holds(operator, empty, value)
        if len(given) < len(encoded) and operator not in ("=", "in"):
            return None
        return Clause(attribute, operator, given, or_absent=absent)


def _holds(operator: str, empty: Any, value: Any) -> bool:
    """Whether the value that a missing attribute means passes a comparison."""
    if operator == "in":
        return empty in value
    comparisons: dict[str, Callable[[Any, Any], bool]] = {
        "=": lambda a, b: a == b,
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
    }
    return bool(comparisons[operator](empty, value))
