"""Which names a run's artifacts may have."""

from __future__ import annotations

import os

#: What a file's name ends in until it is whole (`files`): no artifact may be called so.
PART = ".ablate-part"
#: Bytes of an artifact's name at most: file systems take 255, and a name gets longer until its file is whole.
LONGEST_NAME = 200


def improper(name: str) -> str:
    """Why no artifact may have a name: it could lead out of the run's folder, or be what a file is called until it is whole.

    Returns:
        a line; empty for a name that one may have.
    """
    if name in ("", ".", "..") or any(each in name for each in "/\\\0"):
        return f"artifact {name!r}: give the name of a file, without a folder"
    if name.endswith(PART):
        return f"artifact {name!r}: names in {PART} are those of files that are being written; give another"
    try:
        length = len(os.fsencode(name))
    except UnicodeEncodeError:
        return f"artifact {name!r}: no file can have this name; give another"
    if length > LONGEST_NAME:
        return f"artifact {name!r}: a name of {length} bytes; give one of at most {LONGEST_NAME}"
    return ""
