"""``vigil user``: the users who may sign in to the board."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from vigil.service.settings import Settings
from vigil.values import text


def _read_password(from_stdin: bool) -> str:
    """Read the password: typed twice without echo, or the first line of stdin."""
    from dashboard.auth.passwords import SHORTEST

    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    why = text.find_flaw(password)
    if why is not None:  # the sign-in page would refuse it
        raise typer.BadParameter(f"The password contains {why}.")
    if len(password) < SHORTEST:
        raise typer.BadParameter(f"A password has {SHORTEST} characters at least.")
    return password


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    users = typer.Typer(help="Who may sign in to the board.", no_args_is_help=True)
    app.add_typer(users, name="user")
    users.command()(add)
    users.command("list")(list_users)
    users.command()(disable)


def add(
    name: Annotated[str, typer.Argument(help="What they type to sign in.")],
    role: Annotated[str, typer.Option(help="care_team or admin.")] = "care_team",
    display_name: Annotated[str, typer.Option(help="What colleagues read.")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin.")
    ] = False,
) -> None:
    """Add a user, or give one a new password, role and name."""
    from dashboard.auth.passwords import hash_password
    from dashboard.auth.signin import valid_user_id
    from store.database.connections import connect
    from store.people import users as table

    if not valid_user_id(name):
        raise typer.BadParameter("A user name is lower-case letters, digits and . _ -")
    if role not in table.ROLES:
        raise typer.BadParameter(f"A role is one of: {', '.join(table.ROLES)}.")
    password_hash = hash_password(_read_password(password_stdin))
    with connect(Settings()) as connection:
        new = table.add(connection, name, password_hash, role, display_name)
    typer.echo(f"{name}: {'added' if new else 'changed, and signed out everywhere'}")


def list_users() -> None:
    """List the users."""
    from cli.tables import print_stored
    from store.people.users import User
    from store.people.users import list_users as fetch_users

    def row(user: User) -> tuple[str, ...]:
        state, since = "" if user.active else "disabled", f"{user.created_at:%Y-%m-%d}"
        return user.user_id, user.role, user.display_name, state, since

    headings = ("user", "role", "name", "", "since")
    print_stored(
        fetch_users, headings, row=row, empty="nobody may sign in; `vigil user add` adds someone"
    )


def disable(name: Annotated[str, typer.Argument(help="Who may not sign in any more.")]) -> None:
    """Disable a user, and sign them out at once."""
    from store.database.connections import connect
    from store.people import users as table

    with connect(Settings()) as connection:
        if not table.disable(connection, name):
            raise typer.BadParameter(f"There is no user {name!r}: `vigil user list`.")
    typer.echo(f"{name}: disabled")
