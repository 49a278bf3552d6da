"""`python -m local.chat --port 8099`: the stand-ins and their inbox on a port of 127.0.0.1."""

import argparse

import uvicorn

from local.chat import ChatServices


def main() -> None:
    """Read the port and serve until told to end."""
    parser = argparse.ArgumentParser(prog="local.chat")
    parser.add_argument("--port", type=int, default=8099)
    wanted = parser.parse_args()
    print(f"inbox http://127.0.0.1:{wanted.port}/inbox", flush=True)
    services = ChatServices()
    uvicorn.run(services, host="127.0.0.1", port=wanted.port, log_level="warning", lifespan="off", server_header=False)


if __name__ == "__main__":
    main()
