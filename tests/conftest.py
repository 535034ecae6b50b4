"""What all tests share: properties that repeat exactly, and no impatience on a busy machine."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

collect_ignore = ["bench"]
"""Programs, not tests: nothing there may fail on a slow machine."""

settings.register_profile(
    "kairos", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("kairos")
