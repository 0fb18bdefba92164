"""Column types that expressions have beside those of fields, one of each.

What Core finds out about a type for a dialect it keeps for that object: a new one for each element would be asked anew.
"""

from __future__ import annotations

import sqlalchemy as sa

TRUTH, TEXT, INTEGER, BIG_INTEGER = sa.Boolean(), sa.Text(), sa.Integer(), sa.BigInteger()
UNKNOWN = sa.types.NullType()
