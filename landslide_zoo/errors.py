"""The errors that Landslide Zoo raises on purpose.

Each message is one sentence that says what is wrong, with which file or
setting, and what to do. The command line and the app show it as it is.
"""


class LandslideZooError(Exception):
    """Base of every error raised on purpose by this package."""


class DataError(LandslideZooError):
    """A file or folder does not hold what was asked of it."""


class ModelError(LandslideZooError):
    """A model cannot be found, read, or fed with what it was given."""


class TrainingError(LandslideZooError):
    """A training run cannot start or go on."""


class HubError(LandslideZooError):
    """A Hub cannot be reached, or refuses what was asked of it."""
