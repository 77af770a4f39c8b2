"""An echo server on TCP that accepts so many connections, and never another one.

Arguments: address, connections to accept, backlog. Prints the port.
"""

import select
import socket
import sys

address, most, backlog = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
listener = socket.socket()
listener.bind((address, 0))
listener.listen(backlog)
print("port", listener.getsockname()[1], flush=True)

poll = select.epoll()
poll.register(listener, select.EPOLLIN)
connections = {}
while True:
    for fd, _ in poll.poll():
        if fd == listener.fileno():
            connection, _ = listener.accept()
            connections[connection.fileno()] = connection
            poll.register(connection, select.EPOLLIN)
            if len(connections) == most:
                poll.unregister(listener)
            continue
        try:
            data = connections[fd].recv(65536)
            if data:
                connections[fd].sendall(data)
                continue
        except OSError:
            pass
        poll.unregister(fd)
        connections[fd].close()
