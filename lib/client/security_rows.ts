import { row } from "../options/row.ts";
import { trustRows } from "../options/security_rows.ts";
import { file, protocolName, text } from "../options/text.ts";

const secureSchemes = ["tls", "wss", "quic"];

/** Options of `holdfast client`: certificates and protocols of secure transports. */
export const securityRows = {
  ...trustRows("TLS and QUIC", secureSchemes),
  servername: row({
    name: "servername",
    kind: text,
    placeholder: "name",
    category: "TLS and QUIC",
    summary: "name to ask for and to verify",
    otherwise: "the endpoint's host",
    schemes: secureSchemes,
  }),
  certFile: row({
    name: "cert",
    kind: file,
    category: "TLS and QUIC",
    summary: "PEM certificate of this client, for servers that ask for one",
    requires: ["keyFile"],
    schemes: secureSchemes,
  }),
  keyFile: row({
    name: "key",
    kind: file,
    category: "TLS and QUIC",
    summary: "PEM private key of that certificate",
    requires: ["certFile"],
    schemes: secureSchemes,
  }),
  alpn: row({
    name: "alpn",
    kind: protocolName,
    repeatable: true,
    category: "TLS and QUIC",
    summary: "application protocol to offer; may be repeated",
    otherwise: "echo on quic, none on tls",
    schemes: ["tls", "quic"],
  }),
};
