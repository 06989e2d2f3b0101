"""OpenVINO, imported so that nobody is told of it: ``from ...runtime import openvino``.

Import it where it is used: it takes a quarter of a second.
"""

from __future__ import annotations

import sys

# Each import sends a message to its maker's analytics, unless its telemetry is not to be had.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino  # noqa: E402

__all__ = ["openvino"]
