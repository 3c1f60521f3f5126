"""Slots: so many at once, in order, none lost, and a flood of one kind leaves room for others."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.web import slots
from vigil.web.slots import SHARES, Kind, Slots

KINDS = st.sampled_from(sorted(SHARES))


def test_a_kind_has_its_share_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "WAIT_SECONDS", 0.01)

    async def work() -> None:
        made = Slots(4)
        held = [await made.take("open") for _ in range(3)]
        assert [slot is not None for slot in held] == [True, True, False]
        assert await made.take("devices")
        assert await made.take("board")
        assert await made.take("devices") is None  # four in all
        assert held[0] is not None
        held[0].give_back()
        held[0].give_back()  # once is enough
        assert await made.take("devices")
        assert await made.take("devices") is None

    asyncio.run(work())


def test_who_waits_is_let_in_in_order() -> None:
    async def work() -> None:
        made, order = Slots(4), list[int]()

        async def one(number: int) -> None:
            slot = await made.take("open")
            assert slot
            order.append(number)
            await asyncio.sleep(0.01)
            slot.give_back()

        await asyncio.gather(*(one(number) for number in range(9)))
        assert order == list(range(9))

    asyncio.run(work())


@pytest.fixture(scope="module")
def hurried() -> Iterator[None]:
    """Requests that wait hardly at all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slots, "WAIT_SECONDS", 0.0005)
        yield


@pytest.mark.usefixtures("hurried")
@given(st.lists(st.tuples(KINDS, st.integers(0, 30), st.booleans()), max_size=40))
def test_none_is_lost_and_none_is_made(asked: list[tuple[Kind, int, bool]]) -> None:
    async def work() -> None:
        made, now = Slots(5), Counter[Kind]()

        async def one(kind: Kind, turns: int) -> None:
            slot = await made.take(kind)
            if slot is None:
                return
            now[kind] += 1
            try:
                assert now.total() <= 5
                assert now[kind] <= max(1, int(5 * SHARES[kind]))
                for _ in range(turns):
                    await asyncio.sleep(0)
            finally:
                now[kind] -= 1
                slot.give_back()

        tasks = []
        for kind, turns, cancelled in asked:
            tasks.append(asyncio.create_task(one(kind, turns)))
            if cancelled:
                await asyncio.sleep(0)
                tasks[-1].cancel()
        for task in tasks:
            await asyncio.wait([task])
            assert task.cancelled() or task.exception() is None
        assert made._free == 5
        assert not any(made._waiting.values())
        assert not now.total()

    asyncio.run(work())
