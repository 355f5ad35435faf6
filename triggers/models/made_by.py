"""Which API key created a trigger, and whether a person has to enable it first."""

from django.db import models


class MadeByKey(models.Model):
    """A row that may have been created with an API key, perhaps by an agent."""

    # Empty if no API key created the trigger.
    created_by_key = models.CharField(max_length=22, blank=True, editable=False)
    created_by_name = models.CharField(max_length=60, blank=True, editable=False)
    created_by_agent = models.BooleanField(default=False, editable=False)
    # An agent wrote what the trigger does. It does not fire until a person enables it.
    waits_for_person = models.BooleanField(default=False, editable=False)

    class Meta:
        abstract = True
