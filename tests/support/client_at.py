"""Runs the client as if it were noon on 21 November 2026, so that screens are the same each time.

Who comes and goes is told after a second, in place of some: a script says in one go what is to stand in one line.
"""

import sys
from datetime import UTC, datetime
from functools import partial

from client import session
from client.__main__ import main
from client.chat import presence
from client.chat.model import Model

if __name__ == "__main__":
    vars(presence)["FOLD"] = 1.0
    vars(session)["Model"] = partial(Model, lambda: datetime(2026, 11, 21, 12, tzinfo=UTC))
    sys.exit(main(sys.argv[1:]))
