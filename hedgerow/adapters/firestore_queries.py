"""A `find` as Firestore's structured query, over the index that was chosen for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hedgerow.adapters.firestore_values import encode_value
from hedgerow.lifting import SCHEMA

if TYPE_CHECKING:
    from hedgerow.adapters.cursors import Place
    from hedgerow.adapters.index_choice import IndexChoice
    from hedgerow.ports import Where
    from hedgerow.records import Record

OPERATORS = {
    "==": "EQUAL",
    "<": "LESS_THAN",
    "<=": "LESS_THAN_OR_EQUAL",
    ">": "GREATER_THAN",
    ">=": "GREATER_THAN_OR_EQUAL",
}


def build_query(kind: type[Record], choice: IndexChoice) -> Any:
    """The query for every record that meets the conditions, in the order of the index.

    Ordering by a field leaves out the records that lack it, in a count too.
    """
    from google.cloud.firestore_v1.types import StructuredQuery

    query = StructuredQuery.pb()()
    query.from_.add(collection_id=kind.collection)
    if kind.partial:
        read_by_lifts = {name for lift in kind.lifts.values() for name in lift.reads}
        for name in (kind.model_fields.keys() | read_by_lifts | {SCHEMA}) - {"id", "version"}:
            query.select.fields.add().field_path = name
    for condition in (*choice.equal, *choice.ranged):
        _add_condition(query, condition)
    for field in choice.order:
        _add_order(query, field.name, descends=field.descends)
    _add_order(query, "__name__", descends=choice.id_descends)
    return query


def start_behind(query: Any, after: Place, document_name: str) -> None:
    """Let the query begin behind a place; `document_name` is the full name of its record."""
    query.start_at.before = False
    for value in after.values:
        query.start_at.values.append(encode_value(value))
    query.start_at.values.add().reference_value = document_name


def _add_condition(query: Any, condition: Where) -> None:
    from google.cloud.firestore_v1.types import StructuredQuery

    query.where.composite_filter.op = StructuredQuery.CompositeFilter.Operator.AND
    added = query.where.composite_filter.filters.add().field_filter
    added.field.field_path = condition.field
    added.op = getattr(StructuredQuery.FieldFilter.Operator, OPERATORS[condition.operator])
    added.value.CopyFrom(encode_value(condition.value))


def _add_order(query: Any, field: str, *, descends: bool) -> None:
    from google.cloud.firestore_v1.types import StructuredQuery

    added = query.order_by.add()
    added.field.field_path = field
    direction = StructuredQuery.Direction
    added.direction = direction.DESCENDING if descends else direction.ASCENDING
