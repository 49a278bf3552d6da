"""What stands behind the ports: SQLite and files on a laptop, Google's services in the cloud."""
