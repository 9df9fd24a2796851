"""The installed package: where the commands chat, chat-service and chat-admin begin.

In a wheel it holds service/, client/ and migrations/, because other packages may have these names. Holds no other code.
"""

import sys
from pathlib import Path

# First, so that `service` and `client` are those in here, whatever else is installed.
sys.path.insert(0, str(Path(__file__).parent))


def chat() -> int:
    """Runs the client; returns the exit status, as the others do."""
    from client.__main__ import main

    return main(sys.argv[1:])


def serve() -> int:
    """Runs the service."""
    from service.__main__ import main

    return main()


def administer() -> int:
    """Runs a command of the operator."""
    from service.admin.__main__ import main

    return main(sys.argv[1:])
