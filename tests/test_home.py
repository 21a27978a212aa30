"""The name of a study's folder: kept where it is moved, another where it is copied."""

import shutil

from ablate.home import own
from ablate.records import Records


def test_a_folder_that_is_moved_keeps_its_name_and_a_copy_gets_another(tmp_path):
    first, moved, copy = (tmp_path / name for name in ("first", "moved", "copy"))
    first.mkdir()
    assert not own(first)
    name = Records(first).identity()
    assert not own(first)
    first.rename(moved)
    assert not own(moved)
    assert Records(moved).identity() == name
    shutil.copytree(moved, copy)
    assert own(copy)
    assert Records(copy).identity() != name
    assert not own(copy)
    assert not own(moved)
    assert Records(moved).identity() == name
