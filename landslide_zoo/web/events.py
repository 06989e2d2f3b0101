"""Settings that the page's own events share."""

from __future__ import annotations

from typing import Any

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""For events that answer at once: no part of the API, and no spinner."""

AT_ONCE: dict[str, Any] = {**QUIET, "queue": False, "trigger_mode": "always_last"}
"""For redrawing: it does not wait behind networks, and only the last call counts."""

NETWORK: dict[str, Any] = {"concurrency_id": "network", "concurrency_limit": 1}
"""For whatever runs networks: one at a time, each with all the processor's cores."""
