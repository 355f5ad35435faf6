"""Base classes of forms: JSON fields, and forms that tell if somebody else saved in between."""

import json
from copy import copy
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from moca.api.storable import faults
from moca.display import pretty


class _StorableDecoder(json.JSONDecoder):
    """Refuses JSON values that a database cannot store, like the API's parser."""

    def decode(self, text: str, *args: Any) -> Any:
        try:
            value = super().decode(text, *args)
        except (ValueError, RecursionError) as error:
            raise json.JSONDecodeError(str(error), text, 0) from error
        for fault in faults(value):
            raise json.JSONDecodeError(fault["message"], text, 0)
        return value


class JSONTextField(forms.JSONField):
    """A JSON field that shows its value formatted for people."""

    def __init__(self, **options: Any) -> None:
        super().__init__(decoder=_StorableDecoder, **options)

    def prepare_value(self, value: Any) -> Any:
        if value is None or isinstance(value, str):
            return value
        return pretty(value)


class VersionedForm(forms.ModelForm):
    """A form that does not overwrite what somebody else saved while it was open.

    The form has a hidden field with the version that it shows. If the stored version differs,
    nothing is saved and the input stays in the form; a second save then overwrites.
    """

    # The name of the object in messages; empty for the model's name, which is English.
    kind: Any = ""
    # The reason why the save failed after validation, if the form is shown again for that.
    refusal = ""

    opened_version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.initial["opened_version"] = self.instance.version

    def full_clean(self) -> None:
        """Validate, and focus the first field with an error."""
        super().full_clean()
        wrong = [name for name in self.fields if name in self.errors]
        if wrong:
            self.fields[wrong[0]].widget.attrs["autofocus"] = True

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if not self.instance._state.adding:
            self._check_version(self.cleaned_data.get("opened_version"))
        if self.refusal:
            self.add_error(None, self.refusal)
        return cleaned

    def _check_version(self, opened: int | None) -> None:
        if opened == self.instance.version:
            return
        data: Any = copy(self.data)
        data[self.add_prefix("opened_version")] = str(self.instance.version)
        self.data = data
        self.add_error(None, forms.ValidationError(self._stale_message(), code="stale"))

    def _stale_message(self) -> str:
        names = [name for name in self.changed_data if name != "opened_version"]
        differing = _(", ").join(str(self[name].label) for name in names)
        return _(
            "Somebody else changed this %(kind)s after you opened it, so nothing was saved; what "
            "you entered is still here. What you entered and what is stored differ in: "
            "%(differing)s. Save again to keep what you entered, or open the page anew to start "
            "from what is stored."
        ) % {
            "kind": self.kind or self.instance._meta.verbose_name,
            "differing": differing or _("nothing"),
        }
