"""What one value of an event may be, by Event Ruler's README, "Ruler by Example", and its sources.

Each operator is a few plain lines: this model is to be read beside the README, and to be slow.
"""

import re
from ipaddress import ip_address, ip_network


def accepts(condition, value):
    """Whether a condition of a pattern accepts a value, which is no object and no list."""
    if not isinstance(condition, dict):
        return same(condition, value)
    ((operator, operand),) = condition.items()
    return OPERATORS[operator](operand, value)


def same(wanted, value):
    """JSON's rules: true is no number, and 1.0 is the number 1."""
    if is_number(wanted) and is_number(value):
        return float(wanted) == float(value)
    return type(wanted) is type(value) and wanted == value


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def exists(operand, _value):
    # A field that is absent has no value, and `{"exists": false}` accepts none.
    return operand


def prefix(operand, value):
    if not isinstance(value, str):
        return False
    if isinstance(operand, dict):
        folded = operand["equals-ignore-case"]
        return any(equals_ignore_case(folded, value[:end]) for end in range(len(value) + 1))
    return value.startswith(operand)


def suffix(operand, value):
    if not isinstance(value, str):
        return False
    if isinstance(operand, dict):
        folded = operand["equals-ignore-case"]
        return any(equals_ignore_case(folded, value[start:]) for start in range(len(value) + 1))
    return value.endswith(operand)


def equals_ignore_case(operand, value):
    """Letter by letter: each may be as it is, in upper case or in lower case."""
    if not isinstance(value, str):
        return False
    if not operand:
        return not value
    first, rest = operand[0], operand[1:]
    return any(
        value.startswith(letter) and equals_ignore_case(rest, value[len(letter) :])
        for letter in {first, first.upper(), first.lower()}
    )


def wildcard(operand, value):
    if not isinstance(value, str):
        return False
    parts = re.findall(r"\\.|[^\\]", operand, re.DOTALL)
    expression = "".join(".*" if part == "*" else re.escape(part[-1]) for part in parts)
    return re.fullmatch(expression, value, re.DOTALL) is not None


def anything_but(operand, value):
    """Any value but these. A value of another type is another value."""
    if isinstance(operand, dict):
        ((operator, operand),) = operand.items()
        return not any(OPERATORS[operator](each, value) for each in listed(operand))
    return not any(same(each, value) for each in listed(operand))


def listed(operand):
    return operand if isinstance(operand, list) else [operand]


def numeric(operand, value):
    if not is_number(value):
        return False
    return all(
        COMPARISONS[sign](float(value), float(bound))
        for sign, bound in zip(operand[::2], operand[1::2], strict=True)
    )


def cidr(operand, value):
    try:
        address = ip_address(value) if isinstance(value, str) else None
    except ValueError:
        return False
    network = ip_network(operand, strict=False)
    return address is not None and address.version == network.version and address in network


COMPARISONS = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}
OPERATORS = {
    "exists": exists,
    "prefix": prefix,
    "suffix": suffix,
    "equals-ignore-case": equals_ignore_case,
    "wildcard": wildcard,
    "anything-but": anything_but,
    "numeric": numeric,
    "cidr": cidr,
}
