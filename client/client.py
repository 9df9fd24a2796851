"""`python3 client.py SERVER PORT [USERNAME]`, in this folder: the same as `python3 -m client` in the one above."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    # Python has put this folder there, whose modules must not be taken for others.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    runpy.run_module("client", run_name="__main__", alter_sys=True)
