"""Event Ruler's definition of a match, written down plainly and slowly, to compare with.

Source: Event Ruler's README. "JSON Array Matching": an event is a flat list of fields, each with
the array elements in which it lies, and no match may use fields from different elements of one
array. Its `$or` is written out as one flat pattern for each combination. "Ruler by Example": what
one value may be; see `reference_values.py`. Nothing of `events.patterns` is used.
"""

from itertools import count, product

from tests.unit.patterns.reference_values import accepts

ABSENT = {"exists": False}
# RESERVED_FIELD_NAMES_IN_OR_RELATIONSHIP of Constants.java, which the README names.
RESERVED = {
    "exactly",
    "exists",
    "numeric",
    "prefix",
    "suffix",
    "anything-but",
    "cidr",
    "equals-ignore-case",
    "wildcard",
}


def matches(pattern, event):
    fields = list(flat(event, (), {}, count()))
    return any(way_matches(way, fields) for way in written_out(pattern, ()))


def flat(value, path, membership, numbers):
    """Each value of an event: its name with dots, itself, and in which elements of which arrays."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield from flat(below, (*path, name), membership, numbers)
    elif isinstance(value, list):
        number = next(numbers)
        for index, element in enumerate(value):
            lies_in = {**membership, number: index} if isinstance(element, (dict, list)) else None
            yield from flat(element, path, membership if lies_in is None else lies_in, numbers)
    else:
        yield ".".join(path), value, membership


def written_out(pattern, path):
    """Each flat pattern, as pairs of a name and a list of conditions."""
    choices = []
    for name, wanted in pattern.items():
        if name == "$or" and is_or(wanted):
            choices.append([way for each in wanted for way in written_out(each, path)])
        elif isinstance(wanted, dict):
            choices.append(list(written_out(wanted, (*path, name))))
        else:
            choices.append([[(".".join((*path, name)), wanted)]])
    for combination in product(*choices):
        yield [pair for way in combination for pair in way]


def way_matches(way, fields):
    return any(
        all_absent_agree(choice, fields) for choice in choices_of_fields(way, fields, {}, [])
    )


def choices_of_fields(way, fields, membership, absent):
    """Each consistent choice of a matching value, or of absence, for every name of a way."""
    if not way:
        yield membership, absent
        return
    (name, wanted), *rest = way
    if ABSENT in wanted:
        yield from choices_of_fields(rest, fields, membership, [*absent, name])
    for field, value, lies_in in fields:
        if field == name and consistent(membership, lies_in) and accepted(wanted, value):
            yield from choices_of_fields(rest, fields, {**membership, **lies_in}, absent)


def all_absent_agree(choice, fields):
    membership, absent = choice
    return not any(
        field in absent and consistent(membership, lies_in) for field, _value, lies_in in fields
    )


def consistent(membership, other):
    return all(other.get(array, index) == index for array, index in membership.items())


def accepted(wanted, value):
    return any(accepts(condition, value) for condition in wanted)


def is_or(wanted):
    """Whether this is the operator, and not a field of that name ("And and Or", README)."""
    return (
        isinstance(wanted, list)
        and len(wanted) > 1
        and all(isinstance(each, dict) and each and not each.keys() & RESERVED for each in wanted)
    )
