"""flood.py PORT COUNT SOURCE [WORDS]: holds so many connections open until its standard input ends."""

import socket
import sys

port, count, source = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
words = sys.argv[4].encode() if len(sys.argv) > 4 else b""
held = []
for _ in range(count):
    connection = socket.socket()
    connection.bind((source, 0))
    connection.settimeout(30)
    try:
        connection.connect(("127.0.0.1", port))
        connection.sendall(words)
        held.append(connection)
    except OSError:
        connection.close()
print(len(held), flush=True)
sys.stdin.read()
