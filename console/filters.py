"""The base of the forms by which operators filter lists."""

from django import forms


class FilterForm(forms.Form):
    """Filters of a list, from the query of its URL."""

    @property
    def chosen(self) -> dict[str, str]:
        """The chosen filters. Invalid values count as not chosen."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}
