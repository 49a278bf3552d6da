"""The public address of /v1, which mounts every API family."""
