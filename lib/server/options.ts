import { duration, positiveDuration } from "../options/duration.ts";
import { count, size } from "../options/quantity.ts";
import type { CommandLine } from "../options/command_line.ts";
import { checkForSchemes } from "../options/resolve.ts";
import {
  jsonFileRow,
  labelsRow,
  quietRow,
  reportEveryRow,
  statsAddressRow,
} from "../options/result_rows.ts";
import { row, type SettingsOf } from "../options/row.ts";
import { certificateRows } from "../options/security_rows.ts";
import { serverId } from "../options/server_id.ts";
import { flag, protocolName } from "../options/text.ts";
import { workers } from "../options/workers.ts";

const connectedSchemes = ["tcp", "tls", "ws", "wss", "quic"];
const secureSchemes = ["tls", "wss", "quic"];
const webSocketSchemes = ["ws", "wss"];

/** The options of `holdfast server`. */
export const serverRows = {
  maxConnections: row({
    name: "max-connections",
    kind: count,
    category: "Limits",
    summary: "refuse connections above this many open ones, over all endpoints",
    otherwise: "what the descriptor limit allows",
    schemes: connectedSchemes,
  }),
  idleTimeoutMs: row({
    name: "idle-timeout",
    kind: duration,
    default: 0,
    category: "Limits",
    summary: "close connections on which nothing moves for this long; 0: never",
    schemes: connectedSchemes,
  }),
  maxMessageBytes: row({
    name: "max-message",
    kind: size,
    default: 16 * 2 ** 20,
    category: "Limits",
    summary: "largest WebSocket message; a larger one ends its connection",
    schemes: webSocketSchemes,
  }),
  maxPendingBytes: row({
    name: "max-pending",
    kind: size,
    default: 2 ** 20,
    category: "Limits",
    summary: "echo that may wait for a peer that does not read, per connection",
    schemes: connectedSchemes,
  }),
  backlog: row({
    name: "backlog",
    kind: count,
    default: 65535,
    category: "Limits",
    summary: "queue of connections not yet accepted; the kernel caps it at somaxconn",
    schemes: ["tcp", "tls", "ws", "wss"],
  }),
  workers: row({
    name: "workers",
    kind: workers,
    category: "Limits",
    summary: "processes that share the ports; auto: one for each core",
    otherwise: "1",
  }),
  reusePort: row({
    name: "reuse-port",
    kind: flag,
    default: false,
    category: "Limits",
    summary: "share the ports with other processes that ask for it too",
    schemes: ["tcp", "tls", "udp", "ws", "wss"],
  }),
  durationMs: row({
    name: "duration",
    short: "t",
    kind: positiveDuration,
    category: "Limits",
    summary: "stop after this long, with the final report",
    otherwise: "until interrupted",
  }),
  ...certificateRows("Certificate", secureSchemes),
  alpn: row({
    name: "alpn",
    kind: protocolName,
    repeatable: true,
    category: "Certificate",
    summary: "application protocol to accept on tls and quic; may be repeated",
    otherwise: "echo on quic, any on tls",
    schemes: ["tls", "quic"],
  }),
  announcedId: row({
    name: "announce",
    kind: serverId,
    bare: "auto",
    category: "Results",
    summary: "tell this id to clients that ask for it (--identify); auto: host and pid",
  }),
  reportEveryMs: reportEveryRow("connections and bytes"),
  quiet: quietRow("the endpoints and the final report"),
  jsonFile: jsonFileRow,
  statsAddress: statsAddressRow,
  labels: labelsRow,
};

export type ServerSettings = SettingsOf<typeof serverRows>;

/** What `holdfast server` listens on when no endpoint is given. */
export const defaultEndpoints: readonly string[] = [
  "tcp://:4242",
  "udp://:4242",
  "tls://:4243",
  "ws://:8080",
  "wss://:8443",
  "quic://:4433-4464",
];

/**
 * Checks that every option given has a meaning on at least one of the endpoints.
 *
 * @throws {UsageError} one of them has none.
 */
export function checkForEndpoints(
  schemes: readonly string[],
  commandLine: Pick<CommandLine<ServerSettings>, "settings" | "given">,
): void {
  checkForSchemes(serverRows, commandLine, schemes);
}
