"""The benchmarks of `make bench`, `make profile` and `make attacks`; see README.txt."""
