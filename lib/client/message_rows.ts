import { size } from "../options/quantity.ts";
import { row } from "../options/row.ts";
import { choice, flag, text } from "../options/text.ts";
import { messages } from "./option_sets.ts";

/** Options of `holdfast client`: what a message is. */
export const messageRows = {
  codec: row({
    name: "codec",
    kind: choice("echo", "dns"),
    default: "echo",
    category: "Messages",
    summary: "what a message is: bytes that come back, or a DNS query",
    requires: messages,
    schemesOfValue: { dns: ["udp", "tcp", "tls"] },
  }),
  sizeBytes: row({
    name: "size",
    kind: size,
    default: 64,
    category: "Messages",
    summary: "size of an echo message",
    requires: messages,
    conflicts: ["codec=dns"],
  }),
  query: row({
    name: "query",
    kind: text,
    placeholder: "name/type",
    default: "example.com/A",
    category: "Messages",
    summary: "what to ask a DNS server for",
    requires: ["codec=dns"],
  }),
  verify: row({
    name: "verify",
    kind: flag,
    default: false,
    category: "Messages",
    summary: "compare every answer byte by byte, not only its header",
    requires: messages,
  }),
  datagrams: row({
    name: "datagrams",
    kind: flag,
    default: false,
    category: "Messages",
    summary: "QUIC: send unreliable datagrams instead of a stream",
    requires: messages,
    schemes: ["quic"],
  }),
};
