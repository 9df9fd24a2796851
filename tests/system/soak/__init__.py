"""The soak: 200 clients for some minutes, a service that is killed under them, and a verdict. See __main__.py."""
