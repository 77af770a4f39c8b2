import { UsageError } from "../../errors.ts";
import { duration, positiveDuration } from "../../options/duration.ts";
import { type Kind, quote } from "../../options/kind.ts";
import { size } from "../../options/quantity.ts";
import { quietRow, reportEveryRow, statsAddressRow } from "../../options/result_rows.ts";
import { row, type SettingsOf } from "../../options/row.ts";
import { certificateRows } from "../../options/security_rows.ts";
import { file, flag } from "../../options/text.ts";
import { isUri } from "../message/uri.ts";
import { formatListenUrl, type ListenUrl, parseListenUrl } from "../transport/listen_url.ts";
import { isSecure, secureWampSchemes } from "../transport/wamp_url.ts";

/** Where to listen: `ws://host:port/path` or `rs://host:port`, `wss://` or `rss://` over TLS. */
export const listenUrl: Kind<ListenUrl> = {
  placeholder: "url",
  parse: parseListenUrl,
  format: (url) => formatListenUrl(url),
};

/** Where another router listens. */
export const linkUrl: Kind<ListenUrl> = {
  placeholder: "url",
  parse(text) {
    const url = parseListenUrl(text);
    if (isSecure(url)) {
      throw new UsageError(`${quote(text)} has TLS, which links do not have; write ws:// or rs://`);
    }
    if (url.endpoint.port === 0) {
      throw new UsageError(`${quote(text)} has port 0, which no router listens on`);
    }
    return url;
  },
  format: (url) => formatListenUrl(url),
};

/** A public key of Ed25519: 32 bytes in hex. */
export const publicKey: Kind<string> = {
  placeholder: "hex",
  parse(text) {
    if (!/^[0-9a-f]{64}$/i.test(text)) {
      throw new UsageError(`${quote(text)} is not a public key: 64 hex digits (32 bytes)`);
    }
    return text.toLowerCase();
  },
  format: (key) => key,
};

/** The name of a realm or a role. */
export const realmName: Kind<string> = {
  placeholder: "name",
  parse(text) {
    if (!isUri(text)) {
      throw new UsageError(
        `${quote(text)} is not a name: it has whitespace, # or nothing between two dots`,
      );
    }
    return text;
  },
  format: (name) => name,
};

/** The name of a router, as it appears in pages and metrics. */
export const nodeName: Kind<string> = {
  placeholder: "name",
  parse(text) {
    if (!/^[\w.-]{1,64}$/.test(text)) {
      throw new UsageError(
        `${quote(text)} is not a name of a node; use 1 to 64 letters, digits, _, . and -`,
      );
    }
    return text;
  },
  format: (name) => name,
};

/** The file of the key that routers of one folder share. */
export const defaultLinkKeyFile = "holdfast-link.key";

/** What a router listens on when nothing is said. */
export const defaultListen: readonly string[] = ["ws://:8080/ws"];

/** The options of `holdfast wamp router`. */
export const routerRows = {
  configFile: row({
    name: "config",
    kind: file,
    category: "Router",
    summary: "read realms, roles, keys, addresses and links of a cluster from this JSON file",
    conflicts: ["realms", "listen", "links", "linkKeyFile", "trustedKeys"],
  }),
  node: row({
    name: "node",
    kind: nodeName,
    category: "Router",
    summary: "what this router is called; with --config, which of its nodes it is",
    otherwise: "host name and process id",
  }),
  realms: row({
    name: "realm",
    kind: realmName,
    repeatable: true,
    category: "Router",
    summary: "serve this realm; may be repeated",
    otherwise: "realm1",
  }),
  listen: row({
    name: "listen",
    kind: listenUrl,
    repeatable: true,
    category: "Router",
    summary: "ws(s)://host:port/path or rs(s)://host:port (rawsocket); may be repeated",
    otherwise: defaultListen.join(" "),
  }),
  ...certificateRows("Certificate", secureWampSchemes),
  links: row({
    name: "link",
    kind: linkUrl,
    repeatable: true,
    category: "Links",
    summary: "link to the router that listens there; may be repeated",
  }),
  linkKeyFile: row({
    name: "link-key",
    kind: file,
    category: "Links",
    summary: "key of links, 32 bytes in hex; made where it is missing",
    otherwise: `with links: ${defaultLinkKeyFile} here`,
  }),
  trustedKeys: row({
    name: "link-trust",
    kind: publicKey,
    repeatable: true,
    category: "Links",
    summary: "let routers with this public key link to this one; may be repeated",
    otherwise: "only those with the same key",
  }),
  isStrict: row({
    name: "strict-uris",
    kind: flag,
    default: false,
    category: "Router",
    summary: "take only URIs of lower-case letters, digits and underscores",
  }),
  pingIntervalMs: row({
    name: "ping-interval",
    kind: duration,
    default: 10_000,
    category: "Limits",
    summary: "ping clients this often, end those that do not answer; 0: never",
  }),
  maxMessageBytes: row({
    name: "max-message",
    kind: size,
    default: 16 * 2 ** 20,
    category: "Limits",
    summary: "longest message that is taken; a longer one ends its connection",
  }),
  maxPendingBytes: row({
    name: "max-pending",
    kind: size,
    default: 16 * 2 ** 20,
    category: "Limits",
    summary: "what may wait for a client that does not read, until it is closed",
  }),
  durationMs: row({
    name: "duration",
    short: "t",
    kind: positiveDuration,
    category: "Limits",
    summary: "stop after this long",
    otherwise: "until interrupted",
  }),
  reportEveryMs: reportEveryRow("sessions and events"),
  quiet: quietRow("the addresses"),
  statsAddress: statsAddressRow,
};

export type RouterOptions = SettingsOf<typeof routerRows>;
