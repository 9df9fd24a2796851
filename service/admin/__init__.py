"""The operator's side: the commands of ``python3 -m service.admin``, and orders to the running service."""
