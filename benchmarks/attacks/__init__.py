"""The attacks of `make attacks`: hostile load on a service of our own, on this machine; see ../README.txt."""
