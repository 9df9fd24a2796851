"""What `make attacks` runs: hostile load on a service of our own, on this machine; see ../README.txt."""
