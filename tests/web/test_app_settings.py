"""What a Space's owner may set."""

from __future__ import annotations

import pytest

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.settings import Settings


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDSLIDE_ZOO_CACHE_GB", "1.5")
    monkeypatch.setenv("LANDSLIDE_ZOO_QUEUE", "20")
    settings = Settings.from_environment()
    assert settings.cache_gb == 1.5 and settings.queue == 20
    assert settings.keep_minutes == 60


@pytest.mark.parametrize("text", ["much", "0", "-1", "nan"])
def test_nonsense_is_a_sentence(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("LANDSLIDE_ZOO_CACHE_GB", text)
    with pytest.raises(LandslideZooError, match="LANDSLIDE_ZOO_CACHE_GB is"):
        Settings.from_environment()
