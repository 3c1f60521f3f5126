"""A million patients on partitions and workers, dealt as Kafka deals them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from types import MappingProxyType

import numpy as np
from kafka.partitioner.default import murmur2

PATIENTS = 1_000_000
PARTITIONS = (6, 12, 24, 48, 96, 200, 400, 1000)


def _random_id(number: int) -> str:
    """As a pseudonymising service gives them: a UUID."""
    return str(uuid.UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128, version=4))


IDS: MappingProxyType[str, Callable[[int], str]] = MappingProxyType(
    {
        "p-000001 …": lambda number: f"p-{number:06d}",
        "record numbers": lambda number: str(4_000_000 + 7 * number),
        "UUIDs": _random_id,
    }
)
"""What patients are called, by how it is made."""


def hashes(name: Callable[[int], str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Everybody's hash, as every Kafka client makes it of the key."""
    found = (murmur2(name(number).encode()) & 0x7FFFFFFF for number in range(PATIENTS))
    return np.fromiter(found, dtype=np.int64, count=PATIENTS)


def workers_of(partitions: int, workers: int) -> list[range]:
    """Which partitions each worker has: sticky assignment gives all as many, within one."""
    return [range(worker, partitions, workers) for worker in range(workers)]


def report(workers: Sequence[int]) -> None:
    """Largest partition and fullest worker, times the mean."""
    print(f"\n{PATIENTS:,} patients by Kafka's murmur2: the largest over the mean\n")
    print("| ids | partitions | patients a partition | largest partition | fullest worker of |")
    print("|---|---|---|---|---|")
    for kind, name in IDS.items():
        all_hashes = hashes(name)
        for partitions in PARTITIONS:
            sizes = np.bincount(all_hashes % partitions, minlength=partitions)
            mean = PATIENTS / partitions
            fullest = [
                f"{count}: {_fullest(sizes, count):.2f}" for count in workers if count <= partitions
            ]
            row = f"| {kind} | {partitions} | {mean:,.0f} | {sizes.max() / mean:.3f}"
            print(f"{row} | {', '.join(fullest)} |")


def _fullest(sizes: np.ndarray[tuple[int], np.dtype[np.int64]], workers: int) -> float:
    """Patients of the fullest worker over the mean; uneven shares of partitions count too."""
    loads = [int(sizes[list(share)].sum()) for share in workers_of(len(sizes), workers)]
    return max(loads) / (PATIENTS / workers)
