"""The codes of reasons that alerts keep: why a message was not delivered, or a channel is off."""

from moca.sentences import Code
from moca.sentences import mark as _

NO_CHANNEL = Code("alert_no_channel", _("The channel was deleted: give the rule another one."))
CHANNEL_IS_OFF = Code(
    "alert_channel_off",
    _("The channel is switched off: switch it on, and send the message again."),
)
GONE = Code(
    "alert_gone",
    _(
        "The receiver answered 410 Gone: it wants no more messages. The channel is switched off. "
        "Correct its address, and switch it on."
    ),
)
ANSWERED = Code("alert_answered", _("The receiver answered %(status)s."))
UNREACHABLE = Code("alert_unreachable", _("The receiver cannot be reached (%(error)s)."))
TOO_SLOW = Code("alert_too_slow", _("The receiver did not answer within %(seconds)s s."))
ADDRESS_REFUSED = Code(
    "alert_address_refused",
    _(
        "The host of the address stands for %(address)s, which is an address of the machine "
        "itself: give another one."
    ),
)
SECRET_UNREADABLE = Code("alert_secret_unreadable", _("The secret cannot be read: %(error)s"))
MAIL_NOT_SET = Code(
    "alert_mail_not_set",
    _("This installation cannot send e-mail: set EMAIL_URL, as docs/alerts.md says."),
)
MAIL_REFUSED = Code("alert_mail_refused", _("The mail server refused it: %(error)s"))
SOME_REFUSED = Code(
    "alert_some_refused", _("The mail server refused some of the addresses: %(names)s")
)
APPRISE_MISSING = Code(
    "alert_apprise_missing",
    _("The package apprise is not installed: run pip install apprise, and restart."),
)
APPRISE_INVALID = Code(
    "alert_apprise_invalid", _("Apprise does not understand the URL: enter it again.")
)
APPRISE_FILE = Code(
    "alert_apprise_file",
    _(
        "The URL has Apprise read a file or an address, and send what it has: leave its template "
        "or key file out."
    ),
)
NOT_TAKEN = Code("alert_not_taken", _("%(service)s did not take the message. %(error)s"))
BROKE_OFF = Code(
    "alert_broke_off", _("An internal error broke the delivery off; the log has the details.")
)
# Instead of an agent's own words, which rules include only if somebody has chosen that.
OWN_WORDS = Code("alert_own_words", _("the agent's own words are on the page of the run"))
MANY_TESTS = Code(
    "alert_many_tests",
    _("Two test messages are waiting for their receivers: send this one when they are done."),
)
