"""What `make bench` runs; see README.txt."""
