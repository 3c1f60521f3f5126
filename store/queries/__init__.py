"""Named queries: one file of SQL each, ``store/queries/<area>/<name>.sql``.

Here is every SELECT that a page, the API or a command shows rows of, so that it can be read, run in
psql and looked at with EXPLAIN as it is. Not here, but beside the code that they belong to:
statements that write, look-ups of one row by its key, what a worker reads for its own work, and the
lists of a small table that a command prints.

A file begins with a comment: what it answers, its parameters (``%(name)s``), and the index or
relation that it lives on. ``tests/integration/store/test_query_plans.py`` finds every file and
refuses a plan that reads all of a table that grows.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

HERE = Path(__file__).parent


@cache
def query(name: str) -> bytes:
    """The text of a query by its name, such as ``board/latest``. Read once a process.

    Bytes, because psycopg takes text from code alone or as bytes.

    Raises:
        FileNotFoundError: there is no such query.
    """
    return (HERE / f"{name}.sql").read_bytes()


def names() -> list[str]:
    """The names of all queries, in order."""
    return sorted(str(path.relative_to(HERE).with_suffix("")) for path in HERE.glob("*/*.sql"))
