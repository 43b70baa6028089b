"""The projection store on a real MariaDB keeps the contract, in a database whose own character set is another."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from shardlog import AwareDatetime, Key, Projection, Row
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.adapters.sql.rows import RowReader
from shardlog.errors import CheckpointMoved, RowsRefused, TableMismatch
from shardlog.ports.builds import Build
from shardlog.ports.checkpoints import Move
from shardlog.ports.projections import Batch, Columns, ProjectionStore, TableChanges
from shardlog.testing.contracts.builds import BuildsContract
from shardlog.testing.contracts.projections import ProjectionStoreContract
from shardlog.testing.contracts.tallies import TALLIES, changes, checkpoint
from tests.contract.test_projection_store_sqlite import EVERYTHING, Colour, Everything, OnlyKey, Size
from tests.mariadb_fixtures import connected

AT = datetime(2013, 1, 1, 5, 17, 0, 5, tzinfo=timezone(timedelta(hours=-5)))
UTC_AT = datetime(2013, 1, 1, 10, 17, 0, 5)
REST = (date(2013, 1, 1), Size.SMALL, Decimal(0), True, b"", None, (), {}, None)
PRICE = Columns(("price",), ())


class Keyed(Row, name="keyed"):
    __doc__ = "A long story: " + "x" * 3_000

    text: Key[str]
    raw: Key[bytes]
    at: Key[AwareDatetime]


KEYED = Build(Projection("keyed", rows=[Keyed]), 1)


class TestMariadb(ProjectionStoreContract, BuildsContract):
    @pytest.fixture(autouse=True)
    def _database(self, mariadb: str) -> None:
        self.url = mariadb

    def open(self) -> ProjectionStore:
        return SqlProjectionStore(self.url)

    def rows(self, table: str) -> list[tuple[object, ...]]:
        return self.sql(f"SELECT * FROM `{table}` ORDER BY 1, 2")

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        connection = connected(self.url)
        with connection.cursor() as cursor:
            cursor.execute(statement)
            found = list(cursor.fetchall())
        connection.commit()
        connection.close()
        return found

    def only_keys(self, store: ProjectionStore, *keys: str) -> list[object]:
        """What is in the table of one column after these were put."""
        for key in keys:
            store.write(Batch(EVERYTHING, tables=[TableChanges(OnlyKey, [(key,)], {}, {}, [])]))
        return [row[0] for row in self.sql("SELECT `key` FROM only_key ORDER BY 1")]

    def put(self, store: ProjectionStore, *rest: object) -> None:
        store.write(Batch(EVERYTHING, tables=[TableChanges(Everything, [(Colour.RED, AT, *rest)], {}, {}, [])]))

    @pytest.fixture
    def everything(self) -> ProjectionStore:
        store = self.open()
        store.builds.begin(EVERYTHING, {})
        return store

    def test_of_two_workers_that_move_one_checkpoint_the_second_is_refused(self, store: ProjectionStore) -> None:
        other = self.open()
        increments = {Columns(("n",), ()): [("a", 1, 3, "none", None, 3)]}
        for move in (Move(None, checkpoint(5)), Move(checkpoint(5), checkpoint(8))):
            store.write(Batch(TALLIES, [move], changes(increments=increments)))
            with pytest.raises(CheckpointMoved):
                other.write(Batch(TALLIES, [move], changes(increments=increments)))
        other.close()
        assert self.tallies() == [("a", 1, 6, "none", None)]

    def test_every_kind_of_value_reads_back_as_it_was(self, everything: ProjectionStore) -> None:
        uuid = UUID("0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11")
        for _ in range(2):
            self.put(everything, *REST[:2], Decimal("1E+3"), True, b"\0'\"\\\xff", 0.1, ("a",), {"b": 1, "a": 2}, uuid)
        (row,) = self.rows("everything")
        assert row[:5] == ("red", UTC_AT, date(2013, 1, 1), 1, Decimal(1000))
        assert row[5:] == (1, b"\0'\"\\\xff", 0.1, '["a"]', '{"a":2,"b":1}', str(uuid))
        removed = TableChanges(Everything, [], {}, {}, [(Colour.RED, AT.astimezone(UTC))])
        everything.write(Batch(EVERYTHING, tables=[removed]))
        assert self.rows("everything") == []
        everything.close()

    def test_rows_are_shown_as_json_has_them(self, everything: ProjectionStore) -> None:
        self.put(everything, *REST)
        reader = RowReader(self.url)
        (row,) = reader.first(Everything, 5)
        shown = msgspec.json.decode(msgspec.json.encode(row))
        assert (shown["at"], shown["ok"], shown["day"]) == ("2013-01-01T10:17:00.000005Z", True, "2013-01-01")
        assert (shown["parts"], shown["counts"], shown["ratio"]) == ([], {}, None)
        assert Decimal(shown["price"]) == 0
        reader.close()
        everything.close()

    def test_keys_are_texts_byte_for_byte(self, everything: ProjectionStore) -> None:
        keys = ["", " ", "A", "A ", "a", "a\0", "e\u0301", "ss", "\xdf", "\xe9", "\u2603", "\U0001f600"]
        assert self.only_keys(everything, *reversed(keys)) == sorted(keys, key=str.encode)
        everything.close()

    @pytest.mark.parametrize("text", ["NULL", "a'b", 'a"b', "a\\", "%s", "%(a)s", "\n\r\x1a\t", "VALUES (%s)", "`"])
    def test_texts_are_kept_as_they_are(self, everything: ProjectionStore, text: str) -> None:
        assert self.only_keys(everything, text) == [text]
        everything.close()

    def test_a_key_that_is_too_long_is_refused_also_where_the_server_would_cut_its_spaces(
        self, everything: ProjectionStore
    ) -> None:
        longest = "\U0001f600" * 700
        assert self.only_keys(everything, longest) == [longest]
        with pytest.raises(RowsRefused, match="a key of 703 characters, and MariaDB takes 700 here"):
            self.only_keys(everything, longest + "   ")
        everything.close()

    def test_texts_and_bytes_of_one_key_share_its_length_and_long_comments_are_cut(self) -> None:
        store = self.open()
        store.builds.begin(KEYED, {})
        store.write(Batch(KEYED, tables=[TableChanges(Keyed, [("x" * 350, b"\xff" * 1400, AT)], {}, {}, [])]))
        for row in (("x" * 351, b"", AT), ("", b"x" * 1401, AT)):
            with pytest.raises(RowsRefused, match="here"):
                store.write(Batch(KEYED, tables=[TableChanges(Keyed, [row], {}, {}, [])]))
        comments = self.sql("SELECT table_comment FROM information_schema.tables WHERE table_name = 'keyed_v1'")
        assert all(len(str(comment)) <= 2_048 for (comment,) in comments)
        store.close()

    def test_decimals_add_up_exactly_as_far_as_they_fit(self, everything: ProjectionStore) -> None:
        self.put(everything, *REST[:2], Decimal("0.10"), *REST[3:])
        added = {PRICE: [(Decimal("1000000000000000000000000000000000.2"), Colour.RED, AT)]}
        everything.write(Batch(EVERYTHING, tables=[TableChanges(Everything, [], {}, added, [])]))
        assert self.rows("everything")[0][4] == Decimal("1000000000000000000000000000000000.3")
        for amount in (Decimal("9" * 45), Decimal("1E-21"), Decimal("1E+45")):
            batch = Batch(
                EVERYTHING, tables=[TableChanges(Everything, [], {}, {PRICE: [(amount, Colour.RED, AT)]}, [])]
            )
            with pytest.raises(RowsRefused, match="everything"):
                everything.write(batch)
        everything.close()

    @pytest.mark.parametrize(
        ("place", "value"),
        [
            *((2, Decimal("NaN")), (2, Decimal("0.000000000000000000001")), (5, float("nan")), (5, float("inf"))),
            *((0, "2013-01-01"), (0, UTC_AT), (0, datetime(2013, 1, 1, 12, tzinfo=UTC)), (1, "1"), (3, "yes")),
            *((3, 5), (4, "text"), (8, "0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11"), (6, ("\ud800",)), (5, "0.5")),
        ],
    )
    def test_a_value_that_the_server_would_change_or_not_take_is_refused(
        self, everything: ProjectionStore, place: int, value: object
    ) -> None:
        rest = list(REST)
        rest[place] = value
        with pytest.raises(RowsRefused, match="'everything_v1'"):
            self.put(everything, *rest)
        assert self.rows("everything") == []
        everything.close()

    @pytest.mark.parametrize("at", [datetime(2013, 1, 1), "2013-01-01", None])
    def test_a_time_without_a_zone_is_refused(self, everything: ProjectionStore, at: object) -> None:
        with pytest.raises(RowsRefused, match="'everything_v1'"):
            everything.write(
                Batch(EVERYTHING, tables=[TableChanges(Everything, [(Colour.RED, at, *REST)], {}, {}, [])])
            )
        everything.close()

    @pytest.mark.parametrize("day", [date.min, date(1582, 10, 10), date.max])
    def test_days_of_all_years_are_kept(self, everything: ProjectionStore, day: date) -> None:
        self.put(everything, day, *REST[1:])
        assert self.rows("everything")[0][2] == day
        everything.close()

    def test_a_row_that_is_larger_than_the_server_takes_is_refused_and_the_next_one_is_written(
        self, store: ProjectionStore
    ) -> None:
        ((most,),) = self.sql("SELECT @@max_allowed_packet")
        assert isinstance(most, int)
        with pytest.raises(RowsRefused, match="more than the server takes"):
            store.write(Batch(TALLIES, tables=changes(puts=[("a", 1, 5, "x" * most, None)])))
        large = "\U0001f600" * (most // 4 - 1_000)
        store.write(Batch(TALLIES, tables=changes(puts=[("a", 1, 5, large, None), ("b", 1, 5, "'" * 100_000, None)])))
        assert self.sql("SELECT length(label) FROM contract_tallies ORDER BY kind") == [(4 * len(large),), (100_000,)]

    @pytest.mark.parametrize(
        ("tampering", "said"),
        [
            ("DROP COLUMN note", "column 'note' is missing"),
            ("MODIFY n INT NOT NULL", r"'n' is INTEGER\(11\), and the row class makes it BIGINT"),
            ("MODIFY n BIGINT UNSIGNED NOT NULL", "'n' is BIGINT UNSIGNED"),
            ("MODIFY kind VARCHAR(700) COLLATE utf8mb4_general_ci NOT NULL", "utf8mb4_general_ci"),
            ("MODIFY label LONGTEXT NULL", "'label' may be null"),
            ("DROP PRIMARY KEY", r"its key is \(\)"),
        ],
    )
    def test_a_table_changed_by_hand_is_refused_by_column(
        self, store: ProjectionStore, tampering: str, said: str
    ) -> None:
        self.sql(f"ALTER TABLE contract_tallies_v1 {tampering}")
        with pytest.raises(TableMismatch, match=said):
            store.prepare(TALLIES)

    def test_a_table_dropped_by_hand_is_named_when_it_is_written_to(self, store: ProjectionStore) -> None:
        self.sql("DROP TABLE contract_tallies_v1")
        with pytest.raises(TableMismatch, match="'contract_tallies_v1' is missing"):
            store.write(Batch(TALLIES, tables=changes(puts=[("a", 1, 5, "x", None)])))

    def test_analysts_see_the_docstring_of_a_row_class_as_the_comment_of_its_table(
        self, store: ProjectionStore
    ) -> None:
        wanted = "SELECT table_comment FROM information_schema.tables WHERE table_schema = DATABASE()"
        assert self.sql(f"{wanted} AND table_name = 'contract_tallies_v1'") == [("Counted things.",)]
