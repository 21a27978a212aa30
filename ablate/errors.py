"""Everything that ablate raises on purpose.

::

    AblateError
    ├── BadInput          what the user wrote can't be used; exit 2, nothing written
    ├── StorageError      a disk or folder takes nothing more; exit 3, what finished is kept
    └── EngineError       the machinery that runs trainings broke
"""


class AblateError(Exception):
    """Base of all errors raised on purpose; its text is one line a user can act on."""


class BadInput(AblateError):
    """Something the user wrote can't be used: the text names the key, its value and the remedy."""


class StorageError(AblateError):
    """A file can't be written or read: the disk is full or broken, the folder read-only or gone. What finished is kept.

    Args:
        what: what is wrong with which path: `disk full: reports/x (0 bytes free on its file system)`.
        remedy: what helps: `make space`.
        kept: what is safe: `12 of 48 runs are kept`; empty where that is not known.
    """

    def __init__(self, what: str, remedy: str, kept: str = "") -> None:
        super().__init__("; ".join(filter(None, (what, kept, f"{remedy} and run the same command again"))))
        self.what, self.remedy = what, remedy


class EngineError(AblateError):
    """An engine can't start or go on; what finished before is kept."""
