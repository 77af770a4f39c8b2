import type { Scheme } from "./endpoint.ts";
import { quic } from "./quic.ts";
import { tcp } from "./tcp.ts";
import { tls } from "./tls.ts";
import type { Transport } from "./transport.ts";
import { udp } from "./udp.ts";
import { ws, wss } from "./websocket.ts";

/** The transport of each scheme. */
export const transports: Readonly<Record<Scheme, Transport>> = { tcp, tls, udp, ws, wss, quic };
