from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from hedgerow.adapters.firestore_queries import build_query
from hedgerow.adapters.index_choice import choose_index, indexed_fields, ordered_fields
from hedgerow.cli.operations.collections import every_record, views
from hedgerow.ports import Where
from hedgerow.records import Index, Instant, Record
from local import firestore_indexes

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = (*every_record(), *views())
INSTANT = datetime(2026, 11, 21, tzinfo=UTC)


@dataclass(frozen=True)
class Asked:
    """What Firestore is asked: fields compared for equality, and the order, the document's name last."""

    equal: frozenset[str]
    order: tuple[tuple[str, str], ...]


def asked(kind: type[Record], where: tuple[Where, ...]) -> Asked:
    """Read out of the very query the adapter sends."""
    query = build_query(kind, choose_index(kind, where))
    filters = [each.field_filter for each in query.where.composite_filter.filters]
    names = {1: "ASCENDING", 2: "DESCENDING"}
    equal = frozenset(each.field.field_path for each in filters if each.op == each.EQUAL)
    ranged = {each.field.field_path for each in filters if each.op != each.EQUAL}
    order = tuple((each.field.field_path, names[each.direction]) for each in query.order_by)
    assert not ranged or order[0][0] in ranged, "Firestore orders by the field of the inequality first"
    return Asked(equal, order)


def serves(index: tuple[tuple[str, str], ...], question: Asked) -> bool:
    """Firestore's rule: the fields compared for equality first, in any order, then exactly the order asked for.

    An index ends with the document's name in the direction of its last field; it is never read backwards here.
    """
    whole = (*index, ("__name__", index[-1][1]))
    lead, rest = whole[: len(question.equal)], whole[len(question.equal) :]
    return {name for name, _ in lead} == question.equal and rest == question.order


def declared_for(collection: str, indexes: firestore_indexes.Indexes) -> Iterator[tuple[tuple[str, str], ...]]:
    for composite in indexes["composite"]:
        if composite["collection"] == collection:
            yield tuple((field["path"], field["order"]) for field in composite["fields"])
    for single in indexes["single"]:
        if single["collection"] == collection:
            yield from (((single["path"], order),) for order in single["orders"])


def allowed(kind: type[Record]) -> Iterator[tuple[Where, ...]]:
    """Every combination of conditions that some index of the class lets a `find` use."""
    for index in kind.indexes:
        names = [field.name for field in ordered_fields(index)]
        for count in range(len(names) + 1):
            for equal in itertools.permutations([Where(name, "==", "x") for name in names[:count]]):
                if equal:
                    yield equal
                if count < len(names):
                    least = Where(names[count], ">=", INSTANT)
                    yield (*equal, least)
                    yield (*equal, least, Where(names[count], "<", INSTANT))


def test_the_file_is_what_the_classes_declare() -> None:
    assert firestore_indexes.FILE.read_text(encoding="utf-8") == firestore_indexes.text(), (
        "run `python -m local.firestore_indexes`"
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.__module__}.{kind.__qualname__}")
def test_every_question_a_class_allows_is_served_by_a_declared_index(kind: type[Record]) -> None:
    indexes: firestore_indexes.Indexes = json.loads(firestore_indexes.FILE.read_text(encoding="utf-8"))
    for where in allowed(kind):
        question = asked(kind, where)
        assert any(serves(index, question) for index in declared_for(kind.collection, indexes)), (kind, where)


def test_a_question_without_conditions_needs_the_names_alone() -> None:
    for kind in KINDS:
        assert asked(kind, ()) == Asked(frozenset(), (("__name__", "ASCENDING"),))


def test_an_index_of_another_direction_serves_nothing() -> None:
    question = Asked(frozenset({"tenant_id"}), (("at", "DESCENDING"), ("__name__", "DESCENDING")))
    assert serves((("tenant_id", "ASCENDING"), ("at", "DESCENDING")), question)
    assert not serves((("tenant_id", "ASCENDING"), ("at", "ASCENDING")), question)
    assert not serves((("at", "DESCENDING"),), question)
    assert not serves((("tenant_id", "ASCENDING"),), question)


def test_a_view_of_an_undeclared_field_would_be_seen() -> None:
    class Odd(Record):
        collection = "deliveries"
        indexes = (Index("chunks", "-due_at"),)
        partial = True

        chunks: int
        due_at: datetime | None = None

    indexes: firestore_indexes.Indexes = json.loads(firestore_indexes.FILE.read_text(encoding="utf-8"))
    question = asked(Odd, (Where("chunks", "==", 1),))
    assert not any(serves(index, question) for index in declared_for("deliveries", indexes))
    assert any(serves(index, question) for index in declared_for("deliveries", firestore_indexes.declared((Odd,))))


def test_nothing_is_indexed_that_no_class_asks_for() -> None:
    indexes = firestore_indexes.declared(KINDS)
    wanted = {(kind.collection, field) for kind in KINDS for field in indexed_fields(kind)}
    written = {(each["collection"], field["path"]) for each in indexes["composite"] for field in each["fields"]}
    written |= {(each["collection"], each["path"]) for each in indexes["single"] if each["orders"]}
    assert written == wanted


def test_every_collection_has_its_automatic_indexes_off_and_fits_firestores_limits() -> None:
    indexes = firestore_indexes.declared(KINDS)
    assert set(indexes["collections"]) == {kind.collection for kind in KINDS}
    # Unverified limits of Firestore: 1,000 composite indexes and 200 field settings in a database.
    assert len(indexes["composite"]) < 1000
    assert len(indexes["collections"]) + len(indexes["single"]) <= 200


def test_what_expires_by_itself_is_an_instant_of_its_class() -> None:
    expiring = {kind.collection: kind.expires_by for kind in every_record() if kind.expires_by is not None}
    for kind in every_record():
        if kind.expires_by is not None:
            assert kind.model_fields[kind.expires_by].annotation == Instant | None
    written = firestore_indexes.declared(KINDS)["single"]
    assert {each["collection"]: each["path"] for each in written if each["expires"]} == expiring
    assert expiring == {"deliveries": "expires_at"}, "what the store deletes by itself is a decision"


def test_a_class_that_expires_is_written_though_nothing_asks_for_the_field() -> None:
    class Passing(Record):
        collection = "passing"
        expires_by = "gone_at"
        gone_at: Instant | None = None

    (single,) = firestore_indexes.declared((Passing,))["single"]
    assert (single["path"], single["orders"], single["expires"]) == ("gone_at", [], True)
