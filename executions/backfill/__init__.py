"""Backfills: run what a trigger missed, or what failed, once and at a chosen pace.

`plan` finds out what would run, `services` starts and stops backfills, and `worker` works them off.
"""
