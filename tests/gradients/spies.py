"""What the gradient functions did on the way."""

from __future__ import annotations

from types import ModuleType

import pytest


class Spy:
    """Sees the plan of each call, and how often the general paths ran."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> None:
        self.paths: dict[str, str] = {}
        self.general = 0
        for module in modules:
            make_plan, general = module.make_plan, module.general_gradients

            def plan(*args, make_plan=make_plan):
                made = make_plan(*args)
                self.paths = made.paths
                return made

            def gradients(*args, general=general):
                for item in general(*args):
                    self.general += 1
                    yield item

            monkeypatch.setattr(module, "make_plan", plan)
            monkeypatch.setattr(module, "general_gradients", gradients)

    def check(self, general: frozenset[str]) -> None:
        assert {name for name, path in self.paths.items() if path != "fast"} == general
        assert (self.general > 0) == bool(general)
