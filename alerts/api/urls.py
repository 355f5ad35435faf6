"""The API's routes of alerts."""

from django.urls import path

from alerts.api import views

urlpatterns = [
    path("channels", views.ChannelsView.as_view(), name="api-channels"),
    path("channels/<id:channel_id>", views.ChannelView.as_view(), name="api-channel"),
    path("channels/<id:channel_id>/test", views.ChannelTestView.as_view(), name="api-channel-test"),
    path("alert-rules", views.RulesView.as_view(), name="api-alert-rules"),
    path("alert-rules/<id:rule_id>", views.RuleView.as_view(), name="api-alert-rule"),
]
