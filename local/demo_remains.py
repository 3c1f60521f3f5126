"""What a demonstration leaves in a database, and checks that keep it apart from real data.

A data folder is marked (:mod:`local.data_folder`). A database may be on another server, or older
than the marks, so its content is checked.
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


def find_demo_access(connection: Connection) -> tuple[str, ...]:
    """List the demonstration's credentials that are active in a database: its user, its hub."""
    with translated():
        user = connection.execute(
            "SELECT password_hash FROM users WHERE user_id = %s AND active", (USER,)
        ).fetchone()
        hub = connection.execute(
            "SELECT FROM devices WHERE device_id = %s AND active", (HUB,)
        ).fetchone()
    known = user is not None and check_password(user["password_hash"], PASSWORD).right
    return (*([f"user {USER}"] if known else []), *([f"device {HUB}"] if hub is not None else []))


def refuse_demo_access(settings: Settings) -> None:
    """Refuse a database that a demonstration left, before a real system starts on it.

    Raises:
        SettingsError: the demonstration's administrator or hub is active.
    """
    with connect(settings) as connection:
        found = find_demo_access(connection)
    if found:
        raise SettingsError(
            "The database has credentials of a demonstration, whose secret is known:"
            f" {', '.join(found)}.",
            code="settings.demo_data",
            field="VIGIL_DATABASE_URL",
            how_to_fix="Start on another database or data folder (--data). To keep this one:"
            f" `vigil user disable {USER}` and `vigil device revoke {HUB}`; its patients are"
            " made up.",
        )


def refuse_real_data(settings: Settings) -> None:
    """Refuse a database that is neither new nor a demonstration's, before one fills it.

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
