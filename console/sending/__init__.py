"""What to enter at the sender of a source's events: steps, and texts to paste.

No text has the source's secret. Where it belongs, there is a variable such as `$SECRET`.
"""

from console.sending.base import Guide, Paste
from console.sending.guides import guide_of

__all__ = ["Guide", "Paste", "guide_of"]
