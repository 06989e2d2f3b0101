"""Scenes of Sentinel-2 as their files hold them, read window by window.

What reads them comes with ``pip install 'landslide-zoo[map]'``.
"""

from __future__ import annotations

import os

for _variable in ("PROJ_DATA", "PROJ_LIB"):  # each wheel brings its own database of projections
    os.environ.pop(_variable, None)
