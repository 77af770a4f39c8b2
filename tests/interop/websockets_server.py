"""An echo server with Debian's python3-websockets; port 0, prints the port that it got.

Paths: /echo answers each message with the same type; /close/<code> ends with that code at the first
message; /ping pings the client and ends if no pong comes; the rest is refused with 404.
"""
import asyncio
import http

import websockets


async def handle(socket, path):
    if path.startswith("/close/"):
        await socket.recv()
        await socket.close(int(path[len("/close/"):]), "as asked")
        return
    if path == "/ping":
        for _ in range(3):
            await asyncio.wait_for(await socket.ping(b"are you there"), 5)
        print("3 pongs", flush=True)
    try:
        async for message in socket:
            await socket.send(message)
    except websockets.ConnectionClosed:
        pass
    print("closed with", socket.close_code, flush=True)


async def refuse(path, headers):
    if path != "/echo" and path != "/ping" and not path.startswith("/close/"):
        return http.HTTPStatus.NOT_FOUND, [], b"nothing here\n"


async def main():
    server = await websockets.serve(
        handle, "127.0.0.1", 0, process_request=refuse, max_size=2**22, ping_interval=None
    )
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Future()


asyncio.run(main())
