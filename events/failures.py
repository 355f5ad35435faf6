"""Codes of the reasons why an event bus refuses a change, stored on triggers and audit entries."""

from django.utils.translation import gettext_noop as _

from moca.sentences import Code

BUS_FULL = Code(
    "bus_full",
    _(
        "EventBridge has no room for more rules on this bus: listen to an event source, which is "
        "one rule for all its triggers, or have the quota of the bus raised."
    ),
)
BUS_THROTTLING = Code("bus_throttling", _("EventBridge is throttling: try again in a moment."))
BUS_DENIED = Code(
    "bus_denied",
    _(
        "EventBridge refuses our role: check that it may use the rules trigger-* and source-* of "
        "the bus."
    ),
)
RULE_CHANGING = Code(
    "rule_changing", _("EventBridge is changing this rule: try again in a moment.")
)
RULE_TAKEN = Code(
    "rule_taken",
    _("The bus %(bus)s has a rule %(rule)s of another service: use another id, or another bus."),
)
EVENT_REFUSED = Code("event_refused", _("EventBridge refuses an event: %(error)s"))
TARGET_REFUSED = Code("target_refused", _("EventBridge refuses the target: %(error)s"))
HANDLER_MISSING = Code(
    "handler_missing",
    _("The handler's function is not there: deploy it before rules are made."),
)
HANDLER_DENIED = Code(
    "handler_denied",
    _(
        "Rules cannot be let in to the handler's function: allow our role lambda:AddPermission on "
        "it (%(error)s)."
    ),
)
BUS_MISSING = Code("bus_missing", _("There is no event bus %(bus)s: make it, or name another."))
NAMED_BUS_UNREACHABLE = Code(
    "named_bus_unreachable", _("The event bus %(bus)s cannot be reached: %(error)s")
)
BUS_UNREACHABLE = Code("bus_unreachable", _("EventBridge cannot be reached: %(error)s"))
BUS_REFUSES = Code("bus_refuses", _("EventBridge refuses it: %(message)s"))

# The reason why the reconciler removed a rule.
RULE_WITHOUT_SOURCE = Code("rule_without_source", _("its event source is gone"))
