"""API views of alerts: admins see and change channels and rules, operators see rules.

The address of a webhook may be a secret.
"""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from alerts import services
from alerts.channels import ChannelError
from alerts.models import Channel, ChannelKind, Rule
from alerts.serializers import ChannelSerializer, RuleSerializer
from moca.api.errors import APIError, InvalidFieldsError, NotFoundError, detail
from moca.api.operators import OperatorsView
from moca.aws.secrets_manager import SecretError

FOR_ADMINS = "Only admins may see channels of alerts, and change them and rules: ask one for it."
NOT_SENT = "The test message was not delivered: %s"


class AlertsView(OperatorsView):
    for_admins = FOR_ADMINS


class ChannelsView(AlertsView):
    hides_from_others = True

    def get(self, request: Request) -> Response:
        """List the channels of alerts."""
        found = list(Channel.objects.all())
        shown = ChannelSerializer(found, many=True).data
        return Response({"channels": shown, "metadata": {"count": len(found)}})

    def post(self, request: Request) -> Response:
        """Create a channel."""
        channel = Channel()
        _fill_channel(channel, self.body)
        made = services.save(channel, by=self.user_id)
        shown = {"channel": ChannelSerializer(channel).data}
        return Response(shown | ({"secret": made} if made else {}), status=201)


class ChannelView(AlertsView):
    hides_from_others = True

    def get(self, request: Request, channel_id: str) -> Response:
        """Show a channel."""
        return Response({"channel": ChannelSerializer(_channel(channel_id)).data})

    def put(self, request: Request, channel_id: str) -> Response:
        """Change a channel; what is left out stays as it is."""
        channel = _channel(channel_id)
        body = self.body
        try:
            services.change(channel, lambda row: _fill_channel(row, body), by=self.user_id)
        except Channel.DoesNotExist as error:
            raise NotFoundError("channel") from error
        return Response({"channel": ChannelSerializer(channel).data})

    patch = put

    def delete(self, request: Request, channel_id: str) -> Response:
        """Delete a channel."""
        try:
            services.delete(_channel(channel_id), by=self.user_id)
        except Channel.DoesNotExist as error:
            raise NotFoundError("channel") from error
        return _deleted("channel", channel_id)


class ChannelTestView(AlertsView):
    def post(self, request: Request, channel_id: str) -> Response:
        """Send a test message."""
        try:
            services.test(_channel(channel_id))
        except ChannelError as error:
            raise APIError(502, NOT_SENT % error.reason) from error
        return Response({"success": True, "message": "The test message was delivered."})


class RulesView(AlertsView):
    def get(self, request: Request) -> Response:
        """List the rules of alerts."""
        found = list(Rule.objects.all())
        shown = RuleSerializer(found, many=True).data
        return Response({"rules": shown, "metadata": {"count": len(found)}})

    def post(self, request: Request) -> Response:
        """Create a rule."""
        rule = Rule()
        _fill_rule(rule, self.body)
        services.save_rule(rule, by=self.user_id)
        return Response({"rule": RuleSerializer(rule).data}, status=201)


class RuleView(AlertsView):
    def get(self, request: Request, rule_id: str) -> Response:
        """Show a rule."""
        return Response({"rule": RuleSerializer(_rule(rule_id)).data})

    def put(self, request: Request, rule_id: str) -> Response:
        """Change a rule; what is left out stays as it is."""
        rule = _rule(rule_id)
        body = self.body
        try:
            services.change_rule(rule, lambda row: _fill_rule(row, body), by=self.user_id)
        except Rule.DoesNotExist as error:
            raise NotFoundError("rule") from error
        return Response({"rule": RuleSerializer(rule).data})

    patch = put

    def delete(self, request: Request, rule_id: str) -> Response:
        """Delete a rule."""
        try:
            services.delete_rule(_rule(rule_id), by=self.user_id)
        except Rule.DoesNotExist as error:
            raise NotFoundError("rule") from error
        return _deleted("rule", rule_id)


def _channel(channel_id: str) -> Channel:
    found: Channel | None = Channel.objects.filter(pk=channel_id).first()
    if found is None:
        raise NotFoundError("channel")
    return found


def _rule(rule_id: str) -> Rule:
    found: Rule | None = Rule.objects.filter(pk=rule_id).first()
    if found is None:
        raise NotFoundError("rule")
    return found


def _fill_channel(channel: Channel, body: dict[str, Any]) -> None:
    """Set the values of a request on a channel, and seal its secret."""
    before = channel.kind
    ChannelSerializer(channel, data=body).fill()
    secret = str(getattr(channel, "given_secret", "")).strip()
    if channel.kind != before:
        channel.secrets = []
        if channel.kind == ChannelKind.APPRISE and not secret:
            raise InvalidFieldsError([detail("secret", "Give the URL of Apprise.", "required")])
    if not secret or channel.kind == ChannelKind.EMAIL:
        return
    try:
        services.set_secret(channel, secret)
    except (ChannelError, SecretError) as error:
        raise InvalidFieldsError([detail("secret", str(error), "invalid")]) from error


def _fill_rule(rule: Rule, body: dict[str, Any]) -> None:
    RuleSerializer(rule, data=body).fill()
    if not Channel.objects.filter(pk=rule.channel_id).exists():
        raise InvalidFieldsError([detail("channelId", "There is no such channel.", "invalid")])


def _deleted(what: str, key: str) -> Response:
    shown = {"success": True, "message": f"The {what} was deleted."}
    return Response({**shown, "metadata": {f"{what}Id": key}})
