"""The app: models of a zoo in a browser, and as an API."""

from __future__ import annotations

from typing import Any

try:  # before torch and Gradio, as it wants it; on a Space without ZeroGPU it does nothing
    from spaces import GPU as on_gpu
except ImportError:

    def on_gpu(task: Any) -> Any:  # noqa: ANN401
        """The function as it is: there is no ZeroGPU."""
        return task


__all__ = ["on_gpu"]
