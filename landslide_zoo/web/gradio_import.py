"""A quicker import of Gradio, and a smaller one, for whatever imports it after this."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType


class _WithoutStubs(MetaPathFinder):
    """Lets Gradio write no type stubs beside its components, which takes a third of its import."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module that writes them, told not to; any other is found as ever."""
        if fullname != "gradio.component_meta":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            vars(module)["create_or_modify_pyi"] = lambda *_: None

        vars(spec.loader)["exec_module"] = exec_module
        return spec


sys.meta_path.insert(0, _WithoutStubs())
# Pandas, which Gradio counts its requests with, brings Arrow, whose own allocator would keep
# tens of megabytes.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
