"""What one run logged step by step: as a Parquet file, and read from it straight to arrays."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ablate.analysis.effects import Array
from ablate.run import Point

#: A file of fewer values (8 bytes each) is read whole at the first question, which costs hardly more than one column; of a larger
#: one only the columns that are asked for are read and kept.
WHOLE = 1 << 17
#: Bytes of what was read that are kept.
MOST = 1 << 28


class Room:
    """What has been read of a study's curves, as far as there is room for it: what was asked for longest ago makes way.

    Args:
        most: bytes.
    """

    def __init__(self, most: int = MOST) -> None:
        self.taken, self._most = 0, most
        self._columns: OrderedDict[tuple[object, str], Array] = OrderedDict()

    def get(self, owner: object, name: str) -> Array | None:
        """A column of a file, by who reads it; None where it is to be read, again perhaps."""
        found = self._columns.get((owner, name))
        if found is not None:
            self._columns.move_to_end((owner, name))
        return found

    def put(self, owner: object, name: str, column: Array) -> None:
        """Keep a column."""
        self.drop(owner, name)
        self._columns[owner, name] = column
        self.taken += column.nbytes
        while self.taken > self._most and len(self._columns) > 1:
            self.drop(*next(iter(self._columns)))

    def drop(self, owner: object, name: str) -> None:
        """Forget a column."""
        before = self._columns.pop((owner, name), None)
        self.taken -= before.nbytes if before is not None else 0


class Series(Mapping[str, Array]):
    """A run's curves: `step`, growing, and metric → its value at each step, NaN where it was not logged; [points] each.

    Args:
        path: the Parquet file; no steps and no metrics where there is none.
        room: where what was read is kept; by default all of it is, as long as the object is.
    """

    def __init__(self, path: Path, room: Room | None = None) -> None:
        self._path, self._room, self._owner = path, room or Room(), object()
        self._names: tuple[str, ...] = ("step",)
        self._there = path.exists()
        if self._there:
            self._open()

    @property
    def steps(self) -> Array:
        """The steps at which anything was logged, [points]."""
        return self["step"]

    def logged(self, metric: str) -> tuple[Array, Array] | None:
        """Steps and values of a metric where it was logged and finite, [points] each; None where that is nowhere."""
        if metric not in self._names:
            return None
        values = self[metric]
        keep = np.isfinite(values)
        return (self.steps[keep], values[keep]) if keep.any() else None

    def __getitem__(self, name: str) -> Array:
        if name not in self._names:
            raise KeyError(name)
        if not self._there:
            return np.empty(0)
        found = self._room.get(self._owner, name)
        return self._keep(self._file().read([name], use_threads=False))[name] if found is None else found

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def _open(self) -> None:
        file = self._file()
        size = file.metadata.num_rows * file.metadata.num_columns
        self._names = tuple(file.schema_arrow.names)
        self._keep(file.read(None if size <= WHOLE else ["step"], use_threads=False))

    def _file(self) -> Any:
        import pyarrow.parquet as pq

        return pq.ParquetFile(self._path)

    def _keep(self, table: Any) -> dict[str, Array]:
        read = {name: _column(table[name].chunks) for name in table.column_names}
        for name, column in read.items():
            self._room.put(self._owner, name, column)
        return read


def as_parquet(points: Iterable[Point]) -> bytes:
    """Logged points as the file of a run's curves: column `step`, and one a metric."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: dict[int, dict[str, float]] = {}
    for name, step, value in points:
        rows.setdefault(step, {})[name] = value
    steps = sorted(rows)
    names = sorted({name for row in rows.values() for name in row} - {"step"})
    columns = {"step": pa.array(steps, pa.int64())}
    columns |= {name: pa.array([rows[step].get(name) for step in steps], pa.float64()) for name in names}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue().to_pybytes())


def _column(chunks: Sequence[Any]) -> Array:
    parts = [_floats(chunk) for chunk in chunks]
    return parts[0] if len(parts) == 1 else np.concatenate(parts or [np.empty(0)])


def _floats(chunk: Any) -> Array:
    """A piece of a column, NaN where there is no value. pyarrow's `to_numpy` imports pandas, which takes longer than to read."""
    valid, data = chunk.buffers()
    part = slice(chunk.offset, chunk.offset + len(chunk))
    kind = np.int64 if str(chunk.type) == "int64" else np.float64  # `as_parquet` writes no others
    values = np.frombuffer(data, kind)[part].astype(float)
    if chunk.null_count:
        values[np.unpackbits(np.frombuffer(valid, np.uint8), bitorder="little")[part] == 0] = np.nan
    return values
