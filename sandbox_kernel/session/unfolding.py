"""How large a table becomes in Python objects: few bytes can stand for many of them.

Numbers and texts take some twelve times their bytes at most. What takes more is counted here before
pandas makes it: a dict for each bit of a column of structs is two thousand times as large as that.
"""

from typing import Any, Final

DICT: Final = 240
"""Bytes of a dict with a few entries, for each row of a column of structs."""

ARRAY: Final = 128
"""Bytes of a numpy array of little, for each row of a column of lists."""

NUMBER: Final = 40
"""Bytes of a whole number and of the reference to it."""

REFERENCE: Final = 8
"""Bytes of a reference to what there is once, True and False."""


def unfolded(pa: Any, table: Any) -> int:
    """Return about how many bytes the objects take that pandas makes of a table's small parts."""
    return sum(_size(pa, chunk, alone=True) for column in table.columns for chunk in column.chunks)


def _size(pa: Any, array: Any, *, alone: bool) -> int:
    """Return this for one array, be it a column alone or in the structs and lists of another."""
    kind, rows = array.type, len(array)
    if pa.types.is_struct(kind):
        inner = (_size(pa, array.field(index), alone=False) for index in range(kind.num_fields))
        return DICT * rows + sum(inner)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return ARRAY * rows + _size(pa, array.values, alone=False)
    if pa.types.is_dictionary(kind):
        values = _size(pa, array.dictionary, alone=True)
        # In structs and lists each row gets a copy of its value.
        return values if alone else rows * (int(array.dictionary.nbytes) + values)
    if alone and not array.null_count:
        return 0
    if pa.types.is_boolean(kind):
        return REFERENCE * rows
    return NUMBER * rows if pa.types.is_integer(kind) and kind.bit_width < 32 else 0
