"""Many changes of one table become at most one a row, with the same result as one by one.

What a sequence of changes makes of a row depends on one thing that is not known here: whether the row is there. So a
row's changes are kept as what they make of a missing row and what they make of a present one. After a put or a remove
the two are the same, and the row as it was no longer matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from operator import attrgetter
from typing import Any, TypeAlias, cast

import msgspec

from shardlog.errors import DomainError
from shardlog.model.changes import Add
from shardlog.model.messages import Row
from shardlog.ports.projections import Columns, TableChanges
from shardlog.ports.rows import REQUIRED, Number, TableShape, exact_sum, table_shape

Key: TypeAlias = tuple[object, ...]


class _Removed:
    """The row is gone, whatever it was."""


_REMOVED = _Removed()


class _Delta:
    """Columns added to, and columns set; a set column is in `sets` alone."""

    __slots__ = ("adds", "sets")

    def __init__(self, adds: dict[str, Number], sets: dict[str, object]) -> None:
        self.adds = adds
        self.sets = sets

    def add(self, amounts: Mapping[str, Number]) -> None:
        adds, sets = self.adds, self.sets
        for name, amount in amounts.items():
            before = adds.get(name)
            if before is not None:
                adds[name] = before + amount if type(before) is int is type(amount) else exact_sum(before, amount)
            elif name in sets:
                sets[name] = exact_sum(cast("Number", sets[name]), amount)
            else:
                adds[name] = amount

    def update(self, values: Mapping[str, object]) -> None:
        for name, value in values.items():
            if type(value) is Add:
                self.add({name: value.amount})
            else:
                self.adds.pop(name, None)
                self.sets[name] = value


class _Changed:
    """A row that may be there or not. missing: None where nothing comes of a missing row; `present` itself where both
    get the same."""

    __slots__ = ("missing", "present")

    def __init__(self, missing: _Delta | None, present: _Delta) -> None:
        self.missing = missing
        self.present = present


def _incremented(sums: dict[str, Number]) -> _Changed:
    """A row that was only incremented."""
    delta = _Delta(sums, {})
    return _Changed(delta, delta)


class TableCoalescer:
    """The changes of one table in one batch, by key. The methods are the changes, in the order of events.

    They trust names and numbers of columns; `changes` checks them, once for each group of equal columns.
    A row that was only incremented, in a table whose sums are all integers, is kept as its sums alone.
    """

    __slots__ = (
        "_amount_types",
        "_index",
        "_key_of",
        "_key_types",
        "_keys",
        "_names",
        "_row",
        "_rows",
        "_shape",
        "_sums_plainly",
        "_template",
    )

    def __init__(self, row: type[Row]) -> None:
        self._row = row
        self._shape = shape = table_shape(row)
        self._keys = shape.keys
        self._names = tuple(column.name for column in shape.columns)
        self._key_types = tuple(column.key_type for column in shape.columns if column.is_key)
        self._amount_types = {column.name: column.amount_type for column in shape.columns if column.addable}
        self._index = {name: place for place, name in enumerate(self._names)}
        self._key_of = _key_of(shape.keys)
        self._template = [column.default for column in shape.columns]
        self._sums_plainly = Decimal not in self._amount_types.values()
        self._rows: dict[Key, Row | _Removed | _Changed | dict[str, Number]] = {}

    def __len__(self) -> int:
        """How many rows are changed."""
        return len(self._rows)

    def put(self, row: Row) -> None:
        """The row, in place of any with its key."""
        self._rows[self._key_of(row)] = row

    def remove(self, key: Key) -> None:
        """No row with this key."""
        self._rows[key] = _REMOVED

    def increment(self, key: Key, amounts: Mapping[str, Number]) -> None:
        """Add to columns; a row that is missing is inserted with its defaults first."""
        known = self._rows.get(key)
        if type(known) is dict:  # as nearly always; a sum of anything but integers is refused by `changes`
            for name, amount in amounts.items():
                known[name] = known[name] + amount if name in known else amount
        elif known is None:
            sums = dict(amounts)
            self._rows[key] = sums if self._sums_plainly else _incremented(sums)
        elif isinstance(known, _Changed):
            known.present.add(amounts)
            if known.missing is None:
                known.missing = _Delta(dict(amounts), {})
            elif known.missing is not known.present:
                known.missing.add(amounts)
        else:
            before = self._default_row(key) if known is _REMOVED else cast("Row", known)
            self._rows[key] = self._applied(before, _Delta(dict(amounts), {}))

    def update(self, key: Key, values: Mapping[str, object]) -> None:
        """Set columns, or add to them; nothing happens to a row that is missing."""
        known = self._rows.get(key)
        if type(known) is dict:
            known = self._rows[key] = _incremented(known)
        if isinstance(known, _Changed):
            known.present.update(values)
            if known.missing is not None and known.missing is not known.present:
                known.missing.update(values)
        elif known is not _REMOVED:
            delta = _Delta({}, {})
            delta.update(values)
            self._rows[key] = _Changed(None, delta) if known is None else self._applied(cast("Row", known), delta)

    def changes(self) -> TableChanges:
        """All of it, in the order of keys. Raises DomainError where a change does not fit the row class."""
        puts: list[tuple[object, ...]] = []
        removes: list[tuple[object, ...]] = []
        increments: dict[Columns, list[tuple[object, ...]]] = {}
        updates: dict[Columns, list[tuple[object, ...]]] = {}
        checked: set[Columns] = set()
        in_order = self._in_order()
        if set(map(type, self._rows.values())) == {self._row}:
            rows = cast("Iterable[Row]", map(self._rows.__getitem__, in_order))
            return TableChanges(self._row, list(map(msgspec.structs.astuple, rows)), {}, {}, [])
        for key in in_order:
            known = self._rows[key]
            if type(known) is dict:
                known = _incremented(known)
            if known is _REMOVED:
                removes.append(key)
            elif not isinstance(known, _Changed):
                puts.append(msgspec.structs.astuple(cast("Row", known)))
            else:
                present = known.present
                columns = Columns(tuple(sorted(present.adds)), tuple(sorted(present.sets)))
                if columns not in checked:
                    self._check(columns)
                    checked.add(columns)
                amounts = tuple(map(present.adds.__getitem__, columns.adds))
                self._check_amounts(columns.adds, amounts)
                values = (*amounts, *map(present.sets.__getitem__, columns.sets))
                if known.missing is None:
                    updates.setdefault(columns, []).append((*values, *key))
                else:
                    increments.setdefault(columns, []).append((*self._inserted(key, known.missing), *values))
        return TableChanges(self._row, puts, increments, updates, removes)

    def _in_order(self) -> list[Key]:
        """Keys in their order; where they have none (an Enum's members), in the order of their texts."""
        for key in () if self._keys_fit() else self._rows:
            if len(key) != len(self._keys) or not all(map(isinstance, key, self._key_types)):
                typed = zip(self._keys, self._key_types, strict=True)
                wanted = ", ".join(f"{name}: {type_.__name__}" for name, type_ in typed)
                raise DomainError(f"{self._row.__name__} has the key ({wanted}), and a change names {key!r}")
        try:
            return sorted(cast("dict[Any, object]", self._rows))
        except TypeError:
            return sorted(self._rows, key=repr)

    def _keys_fit(self) -> bool:
        """Whether all keys have just the types that they should, looked at column by column, which takes a tenth of the
        time; False where one may be wrong."""
        try:
            columns = tuple(zip(*self._rows, strict=True))
        except ValueError:  # they differ in length
            return False
        return [set(map(type, column)) for column in columns] == [{wanted} for wanted in self._key_types]

    def _inserted(self, key: Key, delta: _Delta) -> list[object]:
        row = self._template.copy()
        for name, value in zip(self._keys, key, strict=True):
            row[self._index[name]] = value
        for name, amount in delta.adds.items():
            before = row[self._index[name]]
            row[self._index[name]] = before if before is REQUIRED else exact_sum(cast("Number", before), amount)
        for name, value in delta.sets.items():
            row[self._index[name]] = value
        if any(value is REQUIRED for value in row):
            missing = next(name for name, value in zip(self._names, row, strict=True) if value is REQUIRED)
            raise DomainError(
                f"{self._row.__name__}.{missing} has no default, so that a missing row {key!r} cannot be incremented: "
                "give the field a default"
            )
        return row

    def _default_row(self, key: Key) -> Row:
        values = self._inserted(key, _Delta({}, {}))
        return self._row(**dict(zip(self._names, values, strict=True)))

    def _applied(self, row: Row, delta: _Delta) -> Row:
        self._check(Columns(tuple(delta.adds), tuple(delta.sets)))
        self._check_amounts(tuple(delta.adds), tuple(delta.adds.values()))
        sums = {name: exact_sum(getattr(row, name), amount) for name, amount in delta.adds.items()}
        return msgspec.structs.replace(row, **sums, **delta.sets)

    def _check_amounts(self, names: tuple[str, ...], amounts: tuple[object, ...]) -> None:
        """Databases would take a text as 0, and a float as what is nearest."""
        for name, amount in zip(names, amounts, strict=True):
            if type(amount) is not int and not isinstance(amount, self._amount_types[name]):
                wanted = self._amount_types[name].__name__
                raise DomainError(f"{amount!r} is added to {self._row.__name__}.{name}, and must be of type {wanted}")

    def _check(self, columns: Columns) -> None:
        for name in (*columns.adds, *columns.sets):
            if name not in self._index or name in self._keys:
                raise DomainError(f"{self._row.__name__} has no column {name!r} to change, beside its key")
        for name in columns.adds:
            if name not in self._amount_types:
                raise DomainError(
                    f"{self._row.__name__}.{name} cannot be added to: only int and Decimal that are never None can, "
                    "whose sums are the same in any order"
                )

    @property
    def shape(self) -> TableShape:
        """The table."""
        return self._shape


def _key_of(keys: tuple[str, ...]) -> Callable[[Row], Key]:
    get = attrgetter(*keys)
    if len(keys) > 1:
        return cast("Callable[[Row], Key]", get)
    return lambda row: (get(row),)
