"""Validators that the models of several apps share."""

import re

from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

# Excludes line breaks of ASCII and Unicode, and control characters: they would break lines of
# logs, headers and subjects of e-mails.
ONE_LINE = re.compile("\\A[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\\Z")

one_line = RegexValidator(
    ONE_LINE, _("Give one line, without line breaks and other control characters."), "one_line"
)
