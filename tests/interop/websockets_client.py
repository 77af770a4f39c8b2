"""Debian's python3-websockets as the client of an echo server whose URL is the argument.

With a second argument, a file of authorities, over TLS. Prints a line for each thing that held.
"""
import asyncio
import os
import ssl
import sys

import websockets

url = sys.argv[1]
tls = {"ssl": ssl.create_default_context(cafile=sys.argv[2])} if len(sys.argv) > 2 else {}


async def echoes(options):
    async with websockets.connect(url, max_size=2**22, **options, **tls) as socket:
        for message in [
            "", "text", "Größe – 漢字 🙂", b"", b"\x00\xff\x80", "x" * 125, "x" * 126, "y" * 65535,
            "z" * 65536, os.urandom(1 << 20), "ü" * (1 << 19),
        ]:
            await socket.send(message)
            answer = await asyncio.wait_for(socket.recv(), 10)
            assert type(answer) is type(message), (type(answer), type(message))
            assert answer == message, len(message)
        fragments = ["a", "b" * 70000, "", "c"]
        await socket.send(fragments)
        assert await asyncio.wait_for(socket.recv(), 10) == "".join(fragments)
        for payload in [b"", b"x" * 125]:
            await asyncio.wait_for(await socket.ping(payload), 10)
        await socket.close(4321, "enough")
        assert socket.close_code == 4321, socket.close_code


async def closes(what):
    async with websockets.connect(url, compression=None, **tls) as socket:
        socket.transport.write(what)
        try:
            await asyncio.wait_for(socket.recv(), 10)
        except websockets.ConnectionClosed:
            return socket.close_code


def frame(first, payload):
    """A masked frame with a mask of zeros."""
    assert len(payload) < 126
    return bytes([first, 0x80 | len(payload), 0, 0, 0, 0]) + payload


async def main():
    await echoes({"compression": None})
    print("echoes", flush=True)
    await echoes({"compression": "deflate"})
    print("echoes where compression is offered", flush=True)
    sockets = [await websockets.connect(url, **tls) for _ in range(100)]
    await asyncio.gather(*(socket.send(str(index)) for index, socket in enumerate(sockets)))
    answers = await asyncio.gather(*(socket.recv() for socket in sockets))
    assert answers == [str(index) for index in range(100)], answers
    await asyncio.gather(*(socket.close() for socket in sockets))
    print("100 at once", flush=True)
    codes = {
        "invalid UTF-8": await closes(frame(0x81, b"\xff\xfe")),
        "unknown opcode": await closes(frame(0x83, b"")),
        "reserved bit": await closes(frame(0xC2, b"")),
        "unmasked": await closes(b"\x82\x01x"),
        "close": await closes(frame(0x88, b"\x03\xe8bye")),
    }
    print("close codes", codes, flush=True)


asyncio.run(main())
