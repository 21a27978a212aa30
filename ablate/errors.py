"""Everything that ablate raises on purpose.

::

    AblateError
    ├── BadInput          what the user wrote can't be used; exit 2, nothing written
    └── EngineError       the machinery that runs trainings broke
"""


class AblateError(Exception):
    """Base of all errors raised on purpose; its text is one line a user can act on."""


class BadInput(AblateError):
    """Something the user wrote can't be used: the text names the key, its value and the remedy."""


class EngineError(AblateError):
    """An engine can't start or go on; what finished before is kept."""
