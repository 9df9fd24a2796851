"""Blocks and eras: how ids are cut up for what is derived from the messages. No statement here.

Tables use these numbers, so a change needs a migration.
"""

from __future__ import annotations

from typing import Final

# A complete block is counted, and its direct messages are listed for each user: 4,096 ids are walked in 0.3 ms, and
# done in 5 ms.
BLOCK_BITS: Final = 12
# With eras of 32,768 ids, messages are added to some 100 pages of the index message_talk at a time, however many exist.
ERA_BITS: Final = 15
ENDED: Final = f"((SELECT coalesce(max(block) + 1, 0) FROM tally WHERE level = 0) << {BLOCK_BITS})"  # noqa: S608
