"""Tests of service.delivery."""
