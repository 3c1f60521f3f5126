"""Named queries: one file of SQL each, ``store/queries/<area>/<name>.sql``.

Here is every SELECT whose rows a page, the API or a command shows, so that it can be read, run in
psql and examined with EXPLAIN as it is. Not here, but in the code that uses them: statements that
write, look-ups of one row by its key, what a worker reads for its own work, and the lists of a
small table that a command prints.

A file begins with a comment: its result, its parameters (``%(name)s``), and the indexes or
relations that it uses. ``tests/integration/store/test_query_plans.py`` finds every file and
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


def query_names() -> list[str]:
    """The names of all queries, in order."""
    return sorted(str(path.relative_to(HERE).with_suffix("")) for path in HERE.glob("*/*.sql"))
