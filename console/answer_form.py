"""The form in which a person answers an agent's questions: fields by the schemas of the questions.

A schema without parts of its own has one field. An object of such parts has a field for each part.
For anything else, the answer is JSON in a text area.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from executions.answers import MAX_BYTES, Fault
from moca.display import excerpt, pretty
from moca.forms import JSONTextField

# The most parts of an object that have fields of their own, and characters of an agent's label.
MOST_PARTS, MOST_LABEL = 20, 100
YES, NO = "yes", "no"
SIMPLE = ("string", "integer", "number", "boolean")


@dataclass(frozen=True, slots=True)
class Part:
    """A field of the form, and the part of an answer that it is for.

    Attributes:
        field: the field's name.
        question_id: the question.
        name: the part's name in an object; None if the field is for the whole answer.
    """

    field: str
    question_id: str
    name: str | None = None


@dataclass(slots=True)
class Question:
    """A question as the page shows it, with its fields."""

    text: str
    schema: str
    fields: list[forms.BoundField]


class AnswerForm(forms.Form):
    """A form with the fields of all questions of a run.

    Attributes:
        decision: the field that the buttons Approve and Refuse set, if one question asks for
            approval; empty if the form has one button.
    """

    def __init__(self, questions: list[dict[str, Any]], data: Any = None) -> None:
        super().__init__(data, auto_id="answer_%s")
        self.questions, self.parts = questions, list(_parts(questions))
        schemas = {question["id"]: question.get("schema") for question in questions}
        for part in self.parts:
            self.fields[part.field] = _field(part, schemas[part.question_id])
        yes_or_no = [p for p in self.parts if _is_decision(p, schemas[p.question_id])]
        is_one = len(questions) == 1 and len(yes_or_no) == 1
        self.decision = yes_or_no[0].field if is_one else ""

    @property
    def general_errors(self) -> list[str]:
        """The errors that no shown field has."""
        of_buttons: Any = self.errors.get(self.decision, []) if self.decision else []
        return [*map(str, self.non_field_errors()), *map(str, of_buttons)]

    def rows(self) -> list[Question]:
        """The questions with their fields, without the one that the buttons set."""
        return [
            Question(
                question["text"] or _("The agent asks without a text."),
                pretty(question["schema"]) if question.get("schema") else "",
                [
                    self[part.field]
                    for part in self.parts
                    if part.question_id == question["id"] and part.field != self.decision
                ],
            )
            for question in self.questions
        ]

    @property
    def answers(self) -> dict[str, Any]:
        """The answers by the ids of their questions. Parts that are left empty are left out."""
        found: dict[str, Any] = {}
        for part in self.parts:
            value = self.cleaned_data.get(part.field)
            if isinstance(value, str):
                # Browsers end lines with both characters.
                value = value.replace("\r\n", "\n")
            is_empty = value is None or value == ""
            if part.name is not None:
                whole = found.setdefault(part.question_id, {})
                whole |= {} if is_empty else {part.name: value}
            elif not is_empty:
                found[part.question_id] = value
        return found

    def add_fault(self, fault: Fault) -> None:
        """Show a fault at its field, or above the form if none has it."""
        own = [part for part in self.parts if part.question_id == fault.question_id]
        named = [part for part in own if fault.path and part.name == fault.path[0]]
        message = fault.message
        if named:
            inner = fault.path[1:]
        else:
            named, inner = own, fault.path
        if inner:
            message = f"{'.'.join(inner)}: {message}"
        self.add_error(named[0].field if named else None, message)


def _parts(questions: list[dict[str, Any]]) -> Iterator[Part]:
    for number, question in enumerate(questions):
        properties = _properties(question.get("schema"))
        if properties is None:
            yield Part(f"q{number}", question["id"])
            continue
        for place, name in enumerate(properties):
            yield Part(f"q{number}-{place}", question["id"], name)


def _properties(schema: Any) -> list[str] | None:
    """The parts of an object that have fields; None if the answer has one field.

    A database may keep no order of keys. Needed parts come first, as their list has them.
    """
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        return None
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not 0 < len(properties) <= MOST_PARTS:
        return None
    if not all(isinstance(each, Mapping) for each in properties.values()):
        return None
    required = schema.get("required")
    named = required if isinstance(required, list) else []
    needed = [name for name in named if isinstance(name, str) and name in properties]
    return list(dict.fromkeys([*needed, *sorted(properties)]))


def _schema_of(part: Part, schema: Any) -> Mapping[str, Any] | None:
    if part.name is not None:
        return dict(schema["properties"][part.name])
    return schema if isinstance(schema, Mapping) else None


def _is_decision(part: Part, schema: Any) -> bool:
    """Whether a field is a yes or no that decides the question: itself, or its `approved`."""
    own = _schema_of(part, schema)
    is_boolean = own is not None and own.get("type") == "boolean" and "enum" not in own
    return is_boolean and (
        part.name is None or (part.name == "approved" and _is_needed(part, schema))
    )


def _is_needed(part: Part, schema: Any) -> bool:
    required = schema.get("required") if isinstance(schema, Mapping) else None
    return part.name is None or (isinstance(required, list) and part.name in required)


def _field(part: Part, whole: Any) -> forms.Field:
    schema = _schema_of(part, whole)
    # Whether an answer is needed, and what it may be, `executions.answers` checks.
    options: dict[str, Any] = {"required": False, "label": _("Answer")}
    if schema is None:
        options["help_text"] = _(
            "The agent gets this text as it is. If it asks for approval, it may expect y or n."
        )
        return _text(options)
    if part.name is not None:
        options["label"] = excerpt(str(schema.get("title") or part.name), MOST_LABEL)
    about = schema.get("description")
    options["help_text"] = about[:MAX_BYTES] if isinstance(about, str) else ""
    if not _is_needed(part, whole):
        options["label"] = _("%(label)s (optional)") % {"label": options["label"]}
    choices = schema.get("enum")
    if isinstance(choices, list) and choices and all(isinstance(each, str) for each in choices):
        return forms.ChoiceField(choices=[("", "—"), *((c, c) for c in choices)], **options)
    kind = schema.get("type")
    if kind not in SIMPLE or choices is not None:
        widget = forms.Textarea(attrs={"rows": 4, "spellcheck": "false"})
        options["help_text"] = options["help_text"] or _("The answer as JSON.")
        return JSONTextField(widget=widget, **options)
    match kind:
        case "boolean":
            words = [(YES, _("Yes")), (NO, _("No"))]
            return forms.TypedChoiceField(
                choices=words,
                coerce=lambda word: word == YES,
                empty_value=None,
                widget=forms.RadioSelect,
                **options,
            )
        case "integer":
            return forms.IntegerField(**options)
        case "number":
            return forms.FloatField(widget=forms.NumberInput(attrs={"step": "any"}), **options)
    return _text(options)


def _text(options: dict[str, Any]) -> forms.Field:
    widget = forms.Textarea(attrs={"rows": 3, "maxlength": MAX_BYTES})
    return forms.CharField(widget=widget, **options)
