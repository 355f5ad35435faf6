"""Validators that the models of several apps share."""

import re

from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

# Line breaks of ASCII and Unicode, and other control characters: they would end a line of a log,
# a header or an e-mail's subject early.
ONE_LINE = re.compile("\\A[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\\Z")

one_line = RegexValidator(
    ONE_LINE, _("Give one line, without line breaks and other control characters."), "one_line"
)
