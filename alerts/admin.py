"""The admin pages of alerts: channels, rules, and deliveries to look at."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from alerts import services
from alerts.forms import ChannelForm, RuleForm
from alerts.models import Channel, Delivery, Rule
from moca.admin import ModelAdmin, ReadOnlyModelAdmin, actor, page_or_none
from moca.display import time_tag


@admin.register(Channel)
class ChannelAdmin(ModelAdmin):
    form = ChannelForm
    list_display = ["name", "kind", "target", "enabled", "changed"]
    list_filter = ["kind"]
    search_fields = ["name"]
    sortable_by = ()
    refusals = services.REFUSALS
    fields = ["name", "kind", "recipients", "url", "secret", "language", "enabled"]

    @admin.display(description="changed")
    def changed(self, channel: Channel) -> SafeString:
        return time_tag(channel.updated_at, timezone.now())

    def view_on_site(self, obj: Channel) -> str | None:
        """Return the operators' page, where the channel can be tested."""
        return page_or_none("console:alert-channel", obj.pk)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        may_change = self.has_change_permission(request, obj)
        names = [name for name in self.fields or () if may_change or name not in ("secret", "url")]
        return [*(["opened_version"] if may_change else []), *map(str, names)]

    def save_model(
        self, request: HttpRequest, obj: Channel, form: ChannelForm, change: bool
    ) -> None:
        if services.save(obj, by=actor(request)):
            self.message_user(
                request, "A signing secret was generated: create a new one on its page to see it."
            )

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        services.delete(obj, by=actor(request))


@admin.register(Rule)
class RuleAdmin(ModelAdmin):
    form = RuleForm
    list_display = ["name", "channel_id", "tag", "trigger_id", "enabled"]
    search_fields = ["name"]
    sortable_by = ()
    refusals = services.REFUSALS

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        services.save_rule(obj, by=actor(request))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        services.delete_rule(obj, by=actor(request))


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyModelAdmin):
    list_display = ["rule_name", "channel_name", "state", "number", "tries", "made"]
    list_filter = ["state"]
    sortable_by = ()

    @admin.display(description="made")
    def made(self, delivery: Delivery) -> SafeString:
        return time_tag(delivery.made_at, timezone.now())

    def view_on_site(self, obj: Delivery) -> str | None:
        """Return the operators' page, where the message can be sent again."""
        return page_or_none("console:delivery", obj.pk)
