"""What holds for all tests: a busy machine fails none of them."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# a shell that runs the suite in its background has told it, and whoever it starts, to ignore Ctrl-C
signal.signal(signal.SIGINT, signal.default_int_handler)

# the same examples each time, so that what a run says, and what it reached, holds for the next one; the dice are thrown by
# `pytest --hypothesis-profile=dice`
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("dice", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("patient")
