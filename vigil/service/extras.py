"""How to install one of Vigil's optional extras, as messages say it.

Vigil is installed from its checkout, or from a wheel of it. On PyPI ``vigil`` is another project,
so no message may name the package alone.
"""

from __future__ import annotations


def install_command(extra: str) -> str:
    """The command that installs an extra: ``local``, ``llm``.

    >>> install_command("llm")
    'pip install ".[llm]" in the checkout (from a wheel: pip install "PATH/TO/VIGIL.whl[llm]")'
    """
    return (
        f'pip install ".[{extra}]" in the checkout (from a wheel: '
        f'pip install "PATH/TO/VIGIL.whl[{extra}]")'
    )
