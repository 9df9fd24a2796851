"""Tests of service.storage."""
