import { createHost, type Host } from "../network/host.ts";
import type { BroadcastNetwork, NetworkHandlers, NetworkSettings } from "../network/network.ts";
import { Deadlines } from "./deadlines.ts";
import { QueryBroadcaster } from "./query_broadcaster.ts";
import { QueryReceiver } from "./query_receiver.ts";
import { ResponseBroadcaster } from "./response_broadcaster.ts";
import { ResponseReceiver } from "./response_receiver.ts";
import { checkMessageBytes, sessionTimeoutMs, sqmrProtocols } from "./session_settings.ts";

/**
 * SQMR: each message is a query to one peer, the peers taking turns. A receiver ends the session
 * without a response, as Apollo's does.
 *
 * @throws {HostLimitError} the port cannot be bound.
 * @throws {UsageError} an address is malformed, or messages have over 1 MiB.
 */
export async function startSqmr(
  settings: NetworkSettings,
  handlers: NetworkHandlers,
): Promise<BroadcastNetwork> {
  checkMessageBytes(settings);
  const deadlines = new Deadlines(sessionTimeoutMs);
  const broadcaster = new QueryBroadcaster(settings, handlers, deadlines);
  const receiver = new QueryReceiver(settings, (query) => handlers.received(query), deadlines);
  const host = await createHost(settings, handlers, {
    serves: { protocols: sqmrProtocols, handler: (stream) => receiver.accept(stream) },
    settled: (connection) => broadcaster.settled(connection),
    gone: (peer) => broadcaster.gone(peer),
  });
  host.dial();
  return networkOf(host, deadlines, broadcaster, receiver, {
    activeInbound: () => receiver.sessions(),
    activeOutbound: () => broadcaster.sessions(),
    invalidMessages: () => receiver.invalid,
    overflowed: () => receiver.overflowed,
  });
}

/**
 * Reversed SQMR: receivers keep an empty query open to whoever may broadcast, and each message is a
 * response to all of them.
 *
 * @throws {HostLimitError} the port cannot be bound.
 * @throws {UsageError} an address is malformed, or messages have over 1 MiB.
 */
export async function startReversedSqmr(
  settings: NetworkSettings,
  handlers: NetworkHandlers,
): Promise<BroadcastNetwork> {
  checkMessageBytes(settings);
  const deadlines = new Deadlines(sessionTimeoutMs);
  const broadcaster = new ResponseBroadcaster(settings, handlers, deadlines);
  const receiver = new ResponseReceiver((response) => handlers.received(response), deadlines);
  const host = await createHost(settings, handlers, {
    serves: {
      protocols: sqmrProtocols,
      handler: (stream, connection) => broadcaster.accept(stream, connection),
    },
    settled: (connection, nodeId) => {
      const mayBroadcast = settings.broadcaster === undefined || settings.broadcaster === nodeId;
      if (mayBroadcast) receiver.settled(connection);
    },
    gone: (peer) => receiver.gone(peer),
  });
  host.dial();
  return networkOf(host, deadlines, broadcaster, receiver, {
    activeInbound: () => broadcaster.sessions(),
    activeOutbound: () => receiver.sessions(),
    invalidMessages: () => broadcaster.invalid + receiver.invalid,
    // A response is handed over at once, and each session has a part of one at most.
    overflowed: () => 0,
  });
}

/** Who opens streams, and whose input can be malformed, differs between the two. */
type Sessions = Pick<
  BroadcastNetwork,
  "activeInbound" | "activeOutbound" | "invalidMessages" | "overflowed"
>;

function networkOf(
  host: Host,
  deadlines: Deadlines,
  broadcaster: QueryBroadcaster | ResponseBroadcaster,
  receiver: QueryReceiver | ResponseReceiver,
  sessions: Sessions,
): BroadcastNetwork {
  return {
    ...sessions,
    peerId: host.peerId,
    addresses: host.addresses,
    connectedPeers: () => host.connectedPeers(),
    reachablePeers: () => broadcaster.reachablePeers(),
    blacklisted: () => host.blacklisted(),
    publish: (message, token) => broadcaster.publish(message, token),
    removedCopies: () => 0,
    queued: () => broadcaster.queued(),
    clockOffsets: () => host.clockOffsets(),
    stop: async () => {
      broadcaster.stop();
      receiver.stop();
      deadlines.stop(new Error("the network has ended"));
      await host.stop();
    },
  };
}
