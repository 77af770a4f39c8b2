import type { Scheme } from "./endpoint.ts";
import { tcp } from "./tcp.ts";
import { tls } from "./tls.ts";
import type { Transport } from "./transport.ts";
import { udp } from "./udp.ts";
import { ws, wss } from "./websocket.ts";

/** The transport of each scheme. */
export const transports = { tcp, tls, udp, ws, wss } as Readonly<Record<Scheme, Transport>>;
