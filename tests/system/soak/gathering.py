"""What the soak's clients do when all is over: they see each other, wherever each is, and then nobody."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.system.soak.client import Visit

LOOK: Final = 0.5  # seconds between two looks


async def meet(visit: Visit) -> None:
    """Waits until it sees everyone, and each of them sees everyone."""
    everyone = {client.name for client in visit.world.clients}
    while len(visit.world.met) < len(everyone):
        if visit.client.name not in visit.world.met:
            if not (lacking := everyone.symmetric_difference(await _look(visit))):
                visit.world.met.add(visit.client.name)
            visit.world.state = f"{visit.client.name} sees wrongly {sorted(lacking)}"
        await asyncio.sleep(LOOK)


async def be_alone(visit: Visit) -> None:
    """Waits until it sees nobody but itself."""
    while (names := await _look(visit)) != [visit.client.name]:
        visit.world.state = f"{visit.client.name} sees {names}"
        await asyncio.sleep(LOOK)


async def _look(visit: Visit) -> list[str]:
    names: list[str] = (await visit.ask("users"))["users"]
    return names
