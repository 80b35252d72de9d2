"""As many requests as a server takes, on 64 connections with 8 requests in flight on each, until standard input ends.

    python full_load.py HOST PORT

Prints how many were answered. Every answer has to be 200.
"""

import selectors
import socket
import sys

CONNECTIONS, AHEAD = 64, 8
BODY = b"[0.5, -0.5]"
HEAD = b"POST /invocations HTTP/1.1\r\nhost: a\r\nx-request-id: 1\r\ncontent-length: %d\r\n\r\n"
REQUEST = HEAD % len(BODY) + BODY


def main(host: str, port: str) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        for _ in range(CONNECTIONS):
            connection = socket.create_connection((host, int(port)))
            connection.sendall(REQUEST * AHEAD)
            selector.register(connection, selectors.EVENT_READ, bytearray())
        answered = 0
        while True:
            for key, _ in selector.select():
                if key.fileobj is sys.stdin:
                    print(answered)
                    return
                received = key.data
                received += key.fileobj.recv(65536)
                whole = received.count(b"HTTP/1.1 200 OK\r\n")
                assert whole == received.count(b"HTTP/1.1 "), bytes(received)
                del received[: received.rfind(b"\n") + 1]  # each answer begins on the line in which another ends
                answered += whole
                key.fileobj.sendall(REQUEST * whole)


if __name__ == "__main__":
    main(*sys.argv[1:])
