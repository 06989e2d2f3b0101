"""How records name files and folders of this machine."""

from __future__ import annotations

import os
from pathlib import Path


def public_name(name: str | Path) -> str:
    """How records name a file or folder of this machine: by the last part of its path.

    Any other name, such as a dataset's id on the Hub, stays as it is.
    """
    return os.path.basename(os.path.abspath(name)) if os.path.exists(name) else str(name)
