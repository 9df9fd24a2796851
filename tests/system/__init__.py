"""Tests of the whole: real processes, real sockets, faults, and the papers."""
