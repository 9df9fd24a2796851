"""service/storage/sqlite/blocks.py: numbers that the tables of existing databases use."""

from __future__ import annotations

from service.storage.sqlite.blocks import BLOCK_BITS, ERA_BITS


def test_the_numbers_are_those_of_the_migrations() -> None:
    """An era is made of whole blocks, so that a block is in one era."""
    assert (BLOCK_BITS, ERA_BITS) == (12, 15)
    assert ERA_BITS >= BLOCK_BITS
