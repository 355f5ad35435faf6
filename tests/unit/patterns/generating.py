"""Random events, and for each a pattern that matches it, or would but for something small."""

from ipaddress import ip_network

ABSENT = object()
TEXTS = ["order.created", "Order", "a*b", "C:\\dir\\*", "", "Straße", "日本", "x", "us-east-1", "5"]
ADDRESSES = ["10.0.0.7", "192.168.1.20", "2001:db8::7"]
NUMBERS = [2, 5, 10, 301.8, -7, 2.5, 3e2, 1_000_000, 4_999_999_999]
NAMES = ["source", "detail-type", "state", "count", "ip", "user.name", "tags", "$id"]
FEW_NAMES = ["a", "b", "c", "d.e", "d.f"]


def make_event(random, depth=3, *, names=NAMES, objects_in_arrays=False):
    """An object of texts, numbers, true, false, null, arrays of them, and further objects."""

    def make_object(depth):
        return {name: make_any(depth) for name in random.sample(names, random.randint(2, 4))}

    def make_any(depth):
        kind = random.random()
        if depth and kind < 0.3:
            return make_object(depth - 1)
        if depth and objects_in_arrays and kind < 0.6:
            return [make_any(depth - 1) for _element in range(random.randint(0, 3))]
        return make_array(random) if kind < 0.5 else make_value(random)

    return make_object(depth)


def make_value(random):
    pool = random.choice([TEXTS, TEXTS, NUMBERS, NUMBERS, ADDRESSES, [None, True, False]])
    return random.choice(pool)


def make_array(random):
    """Up to three values, of which none is true or false if one is a number."""
    values = [make_value(random) for _element in range(random.randint(1, 3))]
    if any(isinstance(value, bool) for value in values):
        return [value for value in values if isinstance(value, (bool, str)) or value is None]
    return values


def changed(random, event):
    """The event with one thing changed, anywhere in it."""
    if isinstance(event, dict) and event:
        name = random.choice(list(event))
        rest = {other: value for other, value in event.items() if other != name}
        if random.random() < 0.2:
            return rest
        return {**event, name: changed(random, event[name])}
    if isinstance(event, list) and event and random.random() < 0.7:
        place = random.randrange(len(event))
        return [*event[:place], changed(random, event[place]), *event[place + 1 :]]
    kind = random.random()
    if kind < 0.2:
        return [event, make_value(random)]
    if kind < 0.3:
        return {random.choice(FEW_NAMES): event}
    return make_value(random)


def make_pattern(random, event):
    fields = list(fields_of(event)) or [(("a",), ABSENT)]
    fields.append(((*random.choice(fields)[0][:-1], "absent"), ABSENT))
    chosen = without_clashes(random.sample(fields, min(len(fields), random.randint(1, 5))))
    return about(random, chosen, hit=random.random() < 0.55, depth=2)


def fields_of(event, path=()):
    """The names that lead to each value of an event, and the value; to an array, its values."""
    if isinstance(event, dict):
        for name, value in event.items():
            yield from fields_of(value, (*path, name))
    elif not isinstance(event, list):
        yield path, event
    else:
        values = [value for value in event if not isinstance(value, (dict, list))]
        if values:
            yield path, values
        for element in event:
            if isinstance(element, (dict, list)):
                yield from fields_of(element, path)


def without_clashes(fields):
    """The fields of which none is another, or lies within another."""
    chosen = {}
    for path, value in fields:
        name = f"{'.'.join(path)}."
        if not any(name.startswith(other) or other.startswith(name) for other in chosen):
            chosen[name] = path, value
    return list(chosen.values())


def about(random, fields, *, hit, depth):
    """An object of a pattern about some fields, which matches if it is to be a hit."""
    alternatives = []
    if depth and len(fields) > 1 and random.random() < 0.4:
        size = random.randint(1, len(fields) - 1)
        fields, others = fields[:size], fields[size:]
        prefix = common_prefix(random, others)
        below = [(path[len(prefix) :], value) for path, value in others]
        alternatives = [
            random.sample(below, random.randint(1, len(below)))
            for _alternative in range(random.randint(2, 3))
        ]
    missed = None if hit else random.randrange(len(fields) + bool(alternatives))
    pattern = {}
    for index, (path, value) in enumerate(fields):
        put(random, pattern, path, conditions(random, value, hit=index != missed))
    if alternatives:
        matching = None if missed == len(fields) else random.randrange(len(alternatives))
        put(
            random,
            pattern,
            (*prefix, "$or"),
            [
                about(random, each, hit=index == matching, depth=depth - 1)
                for index, each in enumerate(alternatives)
            ],
        )
    return pattern


def common_prefix(random, fields):
    """A place in the event below which all fields lie."""
    shortest = min(len(path) for path, _value in fields) - 1
    length = 0
    while length < shortest and len({path[length] for path, _value in fields}) == 1:
        length += 1
    return fields[0][0][: random.randint(0, length)]


def put(random, pattern, path, value):
    """Set a value in nested objects, with dots in names or with objects in their place."""
    *parents, last = path
    if random.random() < 0.5:
        parents = ".".join(parents).split(".") if parents else []
    if last != "$or" and random.random() < 0.3:
        *split, last = last.split(".")
        parents = [*parents, *split]
    elif last != "$or" and parents and random.random() < 0.2:
        *parents, parent = parents
        last = f"{parent}.{last}"
    for name in parents:
        pattern = pattern.setdefault(name, {})
    pattern[last] = value


def conditions(random, value, *, hit):
    """The list of a field: one condition that is a hit or a near miss, perhaps with others."""
    if value is ABSENT:
        return [{"exists": not hit}] if hit or random.random() < 0.5 else [random.choice(TEXTS)]
    values = value if isinstance(value, list) else [value]
    make = hit_of if hit else miss_of
    listed = [make(random, random.choice(values))]
    while random.random() < 0.3:
        listed.append(miss_of(random, random.choice(values)))
    random.shuffle(listed)
    return listed


def hit_of(random, value):
    if random.random() < 0.1:
        return {"exists": True}
    if isinstance(value, str):
        return random.choice(text_hits(random, value))
    if value is None or isinstance(value, bool):
        return random.choice([value, {"anything-but": random.choice(TEXTS)}])
    wider = {"numeric": [">", value - 1, "<=", value]}
    narrow = {"numeric": [">=", value, "<", value + 0.5]}
    alone = {"numeric": [random.choice(["=", "<=", ">="]), value]}
    other = {"anything-but": [value + 1, value - 1]}
    return random.choice([value, float(value), wider, narrow, alone, other])


def text_hits(random, text):
    start, end = text[: random.randint(0, len(text))], text[random.randint(0, len(text)) :]
    hits = [
        text,
        {"prefix": start},
        {"suffix": end},
        {"prefix": {"equals-ignore-case": start.swapcase()}},
        {"suffix": {"equals-ignore-case": end.upper()}},
        {"equals-ignore-case": text.swapcase()},
        {"wildcard": wildcard(random, text)},
        {"anything-but": [other for other in TEXTS if other != text]},
        {"anything-but": {random.choice(["prefix", "suffix"]): ["zz", f"{text}z"]}},
        {"anything-but": {"equals-ignore-case": f"{text}z"}},
        {"anything-but": {"wildcard": ["z*", f"*{escaped(text)}z"]}},
    ]
    return [*hits, *networks(random, text), *networks(random, text)]


def miss_of(random, value):
    if random.random() < 0.1:
        return {"exists": False}
    if isinstance(value, str):
        return random.choice(text_misses(random, value))
    if value is None or isinstance(value, bool):
        return random.choice(["null", "true", "", {"prefix": ""}, {"wildcard": "*"}])
    below = {"numeric": [random.choice(["<", ">"]), value]}
    beside = {"numeric": [">", value, "<=", value + 1]}
    return random.choice([value + 1, str(value), below, beside, {"anything-but": value}])


def text_misses(random, text):
    cut = text[: random.randint(0, len(text))]
    return [
        text + "z",
        text.swapcase() + " ",
        {"prefix": f"{cut}Ω"},
        {"suffix": f"Ω{cut}"},
        {"prefix": {"equals-ignore-case": f"{cut}Ω"}},
        {"equals-ignore-case": text[1:] + "z"},
        {"wildcard": f"{wildcard(random, text)}z"},
        {"wildcard": f"?{escaped(text)}"},
        {"anything-but": [text, "z"]},
        {"anything-but": {"prefix": text or "z"}},
        {"anything-but": {"suffix": [text[1:] or "z", "z"]}},
        {"anything-but": {"equals-ignore-case": text.swapcase()}},
        {"anything-but": {"wildcard": wildcard(random, text)}},
        {"cidr": "10.0.0.8/29"},
        {"numeric": ["=", 5]},
    ]


def wildcard(random, text):
    """The text with up to three parts of it put as a wildcard."""
    result, rest = "", text
    for _star in range(random.randint(0, 3)):
        start = random.randint(0, len(rest))
        literal, rest = rest[:start], rest[random.randint(start, len(rest)) :]
        if literal or not result:
            result += f"{escaped(literal)}*"
    return result + escaped(rest)


def escaped(text):
    return text.replace("\\", "\\\\").replace("*", "\\*")


def networks(random, text):
    if text not in ADDRESSES:
        return []
    return [{"cidr": str(ip_network(f"{text}/{random.randint(8, 30)}", strict=False))}]
