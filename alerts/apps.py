"""The Django app of alerts: it tells people what happened to triggers and runs."""

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "alerts"
