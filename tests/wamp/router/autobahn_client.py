"""A WAMP client made of autobahn-python, which a test drives by lines of JSON.

Usage: autobahn_client.py <URL: ws, wss, rs or rss> <serializer> <name> [seed of cryptosign, in hex]
The authority of a secure one is the file that AUTHORITY names in the environment.

It subscribes to com.example.topic and registers com.python.<name>. A line ["publish", args] or
["call", procedure, args] is done and answered by a line.
"""

import asyncio
import json
import os
import ssl
import sys
from urllib.parse import urlparse

import txaio

txaio.use_asyncio()

from autobahn.asyncio.rawsocket import WampRawSocketClientFactory
from autobahn.asyncio.wamp import ApplicationSession
from autobahn.asyncio.websocket import WampWebSocketClientFactory
from autobahn.wamp import cryptosign
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer, MsgPackSerializer
from autobahn.wamp.types import ComponentConfig, PublishOptions, SubscribeOptions

url, serializer_name, name = sys.argv[1:4]
seed = sys.argv[4] if len(sys.argv) > 4 else None

serializers = {
    "json": lambda: JsonSerializer(),
    "msgpack": lambda: MsgPackSerializer(),
    "cbor": lambda: CBORSerializer(),
    "msgpack.batched": lambda: MsgPackSerializer(batched=True),
    "cbor.batched": lambda: CBORSerializer(batched=True),
}


def readable(value):
    """Bytes as a dictionary, which JSON has."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"bytes": bytes(value).hex()}
    if isinstance(value, (list, tuple)):
        return [readable(one) for one in value]
    if isinstance(value, dict):
        return {key: readable(one) for key, one in value.items()}
    return value


def restored(value):
    """The reverse of readable."""
    if isinstance(value, list):
        return [restored(one) for one in value]
    if isinstance(value, dict):
        return bytes.fromhex(value["bytes"]) if "bytes" in value else value
    return value


def say(*line):
    print(json.dumps(readable(line)), flush=True)


class Client(ApplicationSession):
    def onConnect(self):
        if seed is None:
            self.join(self.config.realm, ["anonymous"])
            return
        self.key = cryptosign.CryptosignKey.from_bytes(bytes.fromhex(seed))
        self.join(
            self.config.realm,
            ["cryptosign"],
            authextra={"pubkey": self.key.public_key()},
        )

    def onChallenge(self, challenge):
        return self.key.sign_challenge(challenge)

    async def onJoin(self, details):
        def event(*args, details=None, **kwargs):
            say("event", args, kwargs, details.publication)

        async def procedure(*args, **kwargs):
            if args and args[0] == "fail":
                raise ApplicationError("com.python.failed", "as asked", code=7)
            return [name, list(args), kwargs]

        await self.subscribe(
            event, "com.example.topic", SubscribeOptions(details_arg="details")
        )
        await self.register(procedure, f"com.python.{name}")
        say("joined", details.authid, details.authrole, details.authextra["x_cb_node_id"])
        # The event loop itself refers to a task weakly.
        self.obeying = asyncio.ensure_future(self.obey())

    async def obey(self):
        reader = asyncio.StreamReader()
        loop = asyncio.get_event_loop()
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while True:
            line = await reader.readline()
            if not line:
                break
            what, *rest = json.loads(line)
            if what == "publish":
                options = PublishOptions(acknowledge=True, exclude_me=False)
                done = await self.publish(
                    "com.example.topic", *restored(rest[0]), options=options
                )
                say("published", done.id)
            else:
                try:
                    say("result", await self.call(rest[0], *restored(rest[1])))
                except ApplicationError as error:
                    say("error", error.error, error.args, error.kwargs)
        self.leave()

    def onUserError(self, fail, msg):
        pass  # what a test asks for

    def onLeave(self, details):
        say("left", details.reason)
        self.disconnect()

    def onDisconnect(self):
        asyncio.get_event_loop().stop()


def session():
    return Client(ComponentConfig("realm1"))


loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
serializer = serializers[serializer_name]()
parsed = urlparse(url)
if parsed.scheme in ("rs", "rss"):
    factory = WampRawSocketClientFactory(session, serializer=serializer)
else:
    factory = WampWebSocketClientFactory(session, url=url, serializers=[serializer])
secure = parsed.scheme in ("wss", "rss")
trust = ssl.create_default_context(cafile=os.environ["AUTHORITY"]) if secure else None
connecting = loop.create_connection(factory, parsed.hostname, parsed.port, ssl=trust)
loop.run_until_complete(connecting)
loop.run_forever()
