"""aioquic as the client of an echo server on 127.0.0.1.

Arguments: the port and a file of authorities. Prints a line for each thing that held.
"""
import asyncio
import os
import sys

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import DatagramFrameReceived

port = int(sys.argv[1])


def configuration(**changes):
    settings = {"alpn_protocols": ["echo"], "server_name": "localhost", **changes}
    made = QuicConfiguration(is_client=True, **settings)
    made.load_verify_locations(sys.argv[2])
    return made


class Datagrams(QuicConnectionProtocol):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.received = asyncio.Queue()

    def quic_event_received(self, event):
        if isinstance(event, DatagramFrameReceived):
            self.received.put_nowait(event.data)
        else:
            super().quic_event_received(event)


async def streams():
    async with connect("127.0.0.1", port, configuration=configuration()) as client:
        reader, writer = await client.create_stream()
        for size in [1, 1200, 65536, 1 << 20]:
            message = os.urandom(size)
            writer.write(message)
            assert await asyncio.wait_for(reader.readexactly(size), 20) == message, size
        # The end of the stream comes back behind the last bytes.
        writer.write(b"last")
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 10) == b"last"


async def one(index):
    async with connect("127.0.0.1", port, configuration=configuration()) as client:
        reader, writer = await client.create_stream()
        for turn in range(20):
            message = f"{index} {turn}\n".encode()
            writer.write(message)
            assert await asyncio.wait_for(reader.readexactly(len(message)), 20) == message


async def datagrams():
    settings = configuration(max_datagram_frame_size=65536)
    async with connect(
        "127.0.0.1", port, configuration=settings, create_protocol=Datagrams
    ) as client:
        for size in [1, 100, 1000]:
            message = os.urandom(size)
            client._quic.send_datagram_frame(message)
            client.transmit()
            assert await asyncio.wait_for(client.received.get(), 10) == message, size


async def refused(settings):
    try:
        async with connect("127.0.0.1", port, configuration=settings):
            return "nothing"
    except ConnectionError:
        return "refused"


async def main():
    await streams()
    print("streams", flush=True)
    await asyncio.gather(*(one(index) for index in range(10)))
    print("10 at once", flush=True)
    await datagrams()
    print("datagrams", flush=True)
    print("another protocol:", await refused(configuration(alpn_protocols=["chat"])), flush=True)
    print("another name:", await refused(configuration(server_name="a.example")), flush=True)


asyncio.run(main())
