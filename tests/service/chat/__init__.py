"""Tests of service.chat."""
