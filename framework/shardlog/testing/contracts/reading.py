"""What every projection reader must do: subclass ProjectionReaderContract and say how store and reader open."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from decimal import Decimal
from itertools import product
from math import inf
from typing import Any

import msgspec
import pytest

from shardlog.errors import ConfigurationError, ProjectionError, QueryTimeout, RowsRefused, StoreUnavailable
from shardlog.model.projection import Projection
from shardlog.ports.builds import Build
from shardlog.ports.checkpoints import Move
from shardlog.ports.projections import Batch, ProjectionStore, TableChanges
from shardlog.ports.reading import Condition, Order, ProjectionReader, QueryParameter, ReadTo, Selection
from shardlog.testing.contracts.measured import (
    AT,
    BUILD,
    COLUMNS,
    DAY,
    ID,
    KINDS,
    MEASURED,
    ROWS,
    UNMADE,
    Measured,
    Wider,
    ids,
    ids_and,
    page,
    paged,
    query,
    result,
    selection,
)
from shardlog.testing.contracts.tallies import JOURNAL, checkpoint

__all__ = ["MEASURED", "ROWS", "TIMEOUT_MS", "Measured", "ProjectionReaderContract", "ids", "query", "result"]
TIMEOUT_MS = 500
SLOW = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


class ProjectionReaderContract:
    """The suite."""

    @abstractmethod
    def open_store(self) -> ProjectionStore:
        """The store that the rows are written by; the same database each time."""

    @abstractmethod
    def open_reader(self, statement_timeout_ms: int) -> ProjectionReader:
        """A reader of that database."""

    @pytest.fixture
    def store(self) -> Iterator[ProjectionStore]:
        store = self.open_store()
        store.builds.begin(BUILD, {})
        store.write(Batch(BUILD, [Move(None, checkpoint(5))], [TableChanges(Measured, ROWS, {}, {}, [])]))
        yield store
        store.close()

    @pytest.fixture
    def reader(self, store: ProjectionStore) -> Iterator[ProjectionReader]:
        reader = self.open_reader(TIMEOUT_MS)
        yield reader
        reader.close()

    # -- rows ----------------------------------------------------------------------------------------------------------
    def test_every_kind_of_value_comes_as_python_has_it(self, reader: ProjectionReader) -> None:
        rows = ids_and(reader, COLUMNS)
        assert [row[:10] for row in rows] == [row[:10] for row in ROWS]
        assert [[type(value) for value in row[:10]] for row in rows] == [[type(v) for v in row[:10]] for row in ROWS]
        assert [msgspec.json.decode(row[10]) for row in rows] == [list(row[10]) for row in ROWS]

    @pytest.mark.parametrize(
        ("column", "operator", "value", "expected"),
        [
            ("text", "eq", "one", [1]),
            ("text", "eq", "'; DROP TABLE contract_measured; --", [4]),
            ("text", "like", "%100\\%", [3]),
            ("text", "like", "T%", [3]),
            ("text", "in", ("one", "two", "'"), [1, 2]),
            ("number", "eq", 10, [1, 4]),
            ("number", "ne", 10, [3]),
            ("number", "null", True, [2, 5]),
            ("number", "null", False, [1, 3, 4]),
            ("real", "lt", 0.25, [2, 4]),
            ("price", "eq", Decimal("10.25"), [2, 4]),
            ("price", "gt", Decimal("9.5"), [2, 4]),
            ("price", "lte", Decimal("0.0010"), [3, 5]),
            ("held", "eq", True, [1, 3, 5]),
            ("raw", "eq", b"b", [3, 4]),
            ("at", "gte", AT, [1, 3, 4]),
            ("at", "lt", AT, []),
            ("day", "in", (DAY,), [1, 3, 5]),
            ("uuid", "ne", ID, []),
        ],
    )
    def test_a_condition_finds_just_its_rows(
        self, reader: ProjectionReader, column: str, operator: Any, value: object, expected: list[int]
    ) -> None:
        assert ids(reader, [Condition(column, operator, value)]) == expected

    def test_conditions_are_joined_by_and(self, reader: ProjectionReader) -> None:
        assert ids(reader, [Condition("held", "eq", True), Condition("number", "gte", 30)]) == [3]

    @pytest.mark.parametrize("column", [name for name in COLUMNS if name not in ("parts", "id")])
    def test_pages_hold_each_row_once_in_the_order_asked_for(self, reader: ProjectionReader, column: str) -> None:
        for is_falling, is_key_falling, limit in product((False, True), (False, True), (1, 2, 5)):
            orders = [Order(column, is_falling), Order("id", is_key_falling)]
            whole = page(reader, orders, None, 10).read(10)
            values: list[Any] = [row[1] for row in whole]
            known = [value for value in values if value is not None]
            assert {row[0] for row in whole} == {1, 2, 3, 4, 5}
            if column != "text":  # databases sort texts by the rules of some language
                assert known == sorted(known, reverse=is_falling)
            assert values == [None] * values.count(None) + known if is_falling else known + [None] * values.count(None)
            assert paged(reader, orders, limit) == [tuple(row) for row in whole]

    @pytest.mark.parametrize("column", ["text", "real", "price"])
    def test_pages_go_on_behind_values_that_nobody_may_ask_for(
        self, reader: ProjectionReader, store: ProjectionStore, column: str
    ) -> None:
        unusual = [
            (id, text, None, real, price, *ROWS[0][5:])
            for id, text, real, price in [
                (6, "a" * 5_000, inf, Decimal(10) ** 150),
                (7, "a" * 5_001, -inf, -(Decimal(10) ** 150)),
                (8, "a" * 5_000, inf, Decimal("1e-150")),
            ]
        ]
        store.write(Batch(BUILD, tables=[TableChanges(Measured, unusual, {}, {}, [])]))
        for is_falling in (False, True):
            orders = [Order(column, is_falling), Order("id", False)]
            whole = page(reader, orders, None, 10).read(10)
            assert len(whole) == 8
            assert paged(reader, orders, 1) == [tuple(row) for row in whole]

    def test_the_last_row_is_named_where_there_are_more_behind_it_only(self, reader: ProjectionReader) -> None:
        orders = [Order("id", False)]
        lasts = [page(reader, orders, None, limit).last for limit in (4, 5, 6)]
        assert lasts == [(4,), None, None]

    def test_rows_and_positions_are_of_one_moment(self, reader: ProjectionReader, store: ProjectionStore) -> None:
        found = reader.select(selection([Order("id", False)], None, 10))
        more = (6, "six", 1, 1.0, Decimal(1), True, b"", AT, DAY, ID, ())
        move = Move(checkpoint(5), checkpoint(6))
        store.write(Batch(BUILD, [move], [TableChanges(Measured, [more], {}, {}, [])]))
        rows = found.read(10)
        found.close()
        assert (len(rows), found.standings["measured"].positions) == (5, (ReadTo(JOURNAL, 0, 4, 5),))
        assert len(ids(reader, [])) == 6
        assert reader.standings([MEASURED])["measured"].positions == (ReadTo(JOURNAL, 0, 4, 6),)

    def test_rows_come_in_parts_and_a_closed_result_has_none(self, reader: ProjectionReader) -> None:
        found = reader.select(selection([Order("id", False)], None, 10))
        assert [len(found.read(2)) for _ in range(4)] == [2, 2, 1, 0]
        found.close()
        found.close()
        assert not found.read(1)

    def test_a_projection_whose_tables_are_not_made_is_not_available(self, reader: ProjectionReader) -> None:
        assert reader.standings([UNMADE]) == {}
        with pytest.raises(StoreUnavailable, match="has no tables here yet"):
            reader.select(selection([Order("id", False)], None, 10, UNMADE))

    def test_rows_and_positions_are_those_of_the_build_that_serves(
        self, reader: ProjectionReader, store: ProjectionStore
    ) -> None:
        newer = Build(Projection("measured", rows=[Wider], version=2), 1)
        store.builds.begin(newer, {})
        row = (7, "seven", *ROWS[0][2:], "more")
        store.write(Batch(newer, [Move(None, checkpoint(8))], [TableChanges(Wider, [row], {}, {}, [])]))
        assert len(ids(reader, [])) == 5
        wider = Selection(newer.projection, Wider, ("id", "added"), [], [Order("id", False)], None, 9)
        with pytest.raises(StoreUnavailable, match=r"version 1 of projection 'measured' serves, .* lacks added there"):
            reader.select(wider)
        store.builds.switch(newer.key, {0: 8})
        assert ids(reader, []) == [7]
        standing = reader.standings([MEASURED])["measured"]
        assert (standing.version, standing.build, standing.positions) == (2, 1, (ReadTo(JOURNAL, 0, 4, 8),))
        found = reader.select(wider)
        assert list(found.read(9)) == [(7, "more")]
        found.close()

    def test_why_a_build_is_stopped_is_said(self, reader: ProjectionReader, store: ProjectionStore) -> None:
        store.builds.note_stopped(BUILD.key, "the table was changed")
        assert reader.standings([MEASURED])["measured"].stopped == "the table was changed"

    # -- named queries -------------------------------------------------------------------------------------------------
    def test_a_named_query_takes_values_of_every_kind(self, reader: ProjectionReader) -> None:
        for name, value in zip(COLUMNS[:-1], ROWS[0], strict=False):
            statement = f"SELECT id FROM contract_measured WHERE {name} = :v"  # noqa: S608  # of the columns above
            asked = query(statement, QueryParameter("v", KINDS[name], None, ""))
            assert [column.name for column in reader.check(asked)] == ["id"]
            assert (1,) in result(reader, asked, v=value), name
            assert result(reader, asked, v=None) == []

    def test_a_named_query_s_values_are_never_text_of_it(self, reader: ProjectionReader) -> None:
        asked = query("SELECT count(*) FROM contract_measured WHERE text = :v", QueryParameter("v", "text", None, ""))
        for attack in ("' OR '1'='1", "one' --", "x'; DELETE FROM contract_measured; --", ":v", "%(v)s", "$1", "\\'"):
            assert result(reader, asked, v=attack) == [(0,)]
        assert len(ids(reader, [])) == 5

    @pytest.mark.parametrize(
        ("statement", "expected"),
        [
            ("SELECT id FROM contract_measured WHERE price >= :price_min ORDER BY price, id", [1, 2, 4]),
            ("SELECT id FROM contract_measured WHERE :price_min > price ORDER BY price DESC, id", [5, 3]),
            ("SELECT id FROM contract_measured WHERE price = (SELECT max(price) FROM contract_measured) "
             "AND price > :price_min ORDER BY id", [2, 4]),
            ("SELECT count(*) FROM contract_measured WHERE price >= :price_min GROUP BY price ORDER BY price", [1, 2]),
        ],
    )  # fmt: skip
    def test_a_named_query_compares_and_sorts_decimals_as_numbers(
        self, reader: ProjectionReader, statement: str, expected: list[int]
    ) -> None:
        asked = query(statement, QueryParameter("price_min", "decimal", None, ""))
        assert [row[0] for row in result(reader, asked, price_min=Decimal("9.500"))] == expected

    @pytest.mark.parametrize(
        "statement",
        ["DELETE FROM contract_measured", "DELETE FROM contract_measured RETURNING id", "SELECT 1; SELECT 2",
         "SELECT 1; DROP TABLE contract_measured", "UPDATE contract_measured SET text = ''",
         "DROP TABLE contract_measured", "CREATE TABLE mine (id integer)", "SELECT nothing FROM contract_measured",
         "SELEC 1", "BEGIN", "COMMIT", "WITH x AS (DELETE FROM contract_measured RETURNING id) SELECT * FROM x"],
    )  # fmt: skip
    def test_what_does_not_read_is_refused_with_its_file_when_it_is_checked(
        self, reader: ProjectionReader, statement: str
    ) -> None:
        with pytest.raises(ConfigurationError, match=r"given\.sql, the statement from line 7 on"):
            reader.check(query(statement))
        assert len(ids(reader, [])) == 5

    @pytest.mark.parametrize(
        "statement",
        ["DELETE FROM contract_measured", "UPDATE contract_measured SET text = ''", "DROP TABLE contract_measured",
         "INSERT INTO contract_measured (id, text) VALUES (9, '')", "CREATE TABLE mine (id integer)",
         "CREATE TEMPORARY TABLE mine (id integer)"],
    )  # fmt: skip
    def test_its_connections_could_not_write_if_somebody_found_a_way_in(
        self, reader: ProjectionReader, statement: str
    ) -> None:
        with pytest.raises(ProjectionError):
            result(reader, query(statement))
        assert len(ids(reader, [])) == 5

    def test_a_statement_that_takes_too_long_is_broken_off_and_the_next_one_is_answered(
        self, reader: ProjectionReader
    ) -> None:
        with pytest.raises(QueryTimeout, match=r"500 ms \(statement_timeout_ms\)"):
            result(reader, query(SLOW))
        assert len(ids(reader, [])) == 5

    def test_rows_that_cannot_be_worked_out_are_said_to_be(self, reader: ProjectionReader) -> None:
        asked = query("SELECT abs(:v) FROM contract_measured", QueryParameter("v", "integer", None, ""))
        with pytest.raises(RowsRefused):
            result(reader, asked, v=-(2**63))
