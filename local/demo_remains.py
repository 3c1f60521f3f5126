"""What a demonstration leaves in a database, and that it stays apart from a real system's data.

A data folder says what it is for (:mod:`local.purpose`). A database may be another server's,
or have been filled before folders were marked, so it is asked itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.auth.passwords import check_password
from store.database.connections import connect, translated
from vigil.service.errors import SettingsError

if TYPE_CHECKING:
    from store.database.connections import Connection
    from vigil.service.settings import Settings

USER = "nurse"
PASSWORD = "vigil-demo"  # noqa: S105  (the demonstration's, printed at its start)
HUB = "demo-hub"


def remains(connection: Connection) -> tuple[str, ...]:
    """The demonstration's ways in that are open in a database: its user, its hub."""

    with translated():
        user = connection.execute(
            "SELECT password_hash FROM users WHERE user_id = %s AND active", (USER,)
        ).fetchone()
        hub = connection.execute(
            "SELECT FROM devices WHERE device_id = %s AND active", (HUB,)
        ).fetchone()
    known = user is not None and check_password(user["password_hash"], PASSWORD).right
    return (*([f"user {USER}"] if known else []), *([f"device {HUB}"] if hub is not None else []))


def refuse_remains(settings: Settings) -> None:
    """Make sure that a real system's database has nothing of a demonstration.

    Raises:
        SettingsError: it has the demonstration's administrator or hub.
    """

    with connect(settings) as connection:
        found = remains(connection)
    if found:
        raise SettingsError(
            f"The database has what a demonstration left: {', '.join(found)}, of known secret.",
            code="settings.demo_data",
            field="VIGIL_DATABASE_URL",
            how_to_fix=(
                "Start on another database or data folder (--data). To keep this one: "
                "`vigil user"
                f" disable {USER}` and `vigil device revoke {HUB}`; its patients are made up."
            ),
        )


def refuse_real(settings: Settings) -> None:
    """Make sure that a database is new or a demonstration's, before a demonstration fills it.

    Raises:
        SettingsError: it has patients who are not made up, or other users.
    """

    with connect(settings, any_schema=True) as connection, translated():
        row = connection.execute("SELECT to_regclass('patients') AS there").fetchone()
        if row is None or row["there"] is None:
            return
        people = connection.execute(
            "SELECT (SELECT count(*) FROM patients WHERE NOT synthetic) AS patients,"
            " (SELECT count(*) FROM users WHERE user_id <> %s) AS users",
            (USER,),
        ).fetchone()
    if people is not None and (people["patients"] or people["users"]):
        raise SettingsError(
            f"The database is a real system's: it has {people['patients']} patients who are not"
            f" made up, and {people['users']} users.",
            code="settings.real_data",
            field="VIGIL_DATABASE_URL",
            how_to_fix="Name an empty database for the demonstration, or none: it starts its own.",
        )
