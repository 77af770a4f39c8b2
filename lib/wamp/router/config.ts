import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { FileError, messageOf, UsageError } from "../../errors.ts";
import { matchPolicies, type MatchPolicy, type UriStrictness } from "../message/uri.ts";
import type { ListenUrl } from "../transport/listen_url.ts";
import { isSecure } from "../transport/wamp_url.ts";
import { type Principal, routerRole } from "./authentication.ts";
import { ConfigObject, readAll } from "./config_fields.ts";
import { linkUrl, listenUrl, nodeName, publicKey, realmName } from "./options.ts";
import type { RealmSettings } from "./realm.ts";
import { actions, type Permission, Role } from "./role.ts";

/** What a file says about one router of a cluster. */
export interface NodeConfig {
  readonly node: string;
  readonly listen: readonly ListenUrl[];
  readonly links: readonly ListenUrl[];
  readonly realms: readonly RealmSettings[];
  readonly linkKeyFile: string | undefined;
  readonly trustedKeys: readonly string[];
}

interface NodeEntry {
  readonly node: string;
  /** Where other routers reach it. */
  readonly host: string;
  readonly listen: readonly ListenUrl[];
  /** Undefined: to every other node. */
  readonly links: readonly ListenUrl[] | undefined;
}

/**
 * Reads the file of a cluster:
 *
 * ```json
 * {
 *   "realms": [{ "name": "realm1" }],
 *   "nodes": [
 *     { "node": "node1", "listen": ["ws://:8081/ws", "rs://:5081"] },
 *     { "node": "node2", "listen": ["ws://:8082/ws", "rs://:5082"] }
 *   ]
 * }
 * ```
 *
 * A node without `links` gets one to every other node. A realm may have `roles` with `permissions`,
 * `principals` with keys, and `anonymous`: the role of clients without a key, or null where they are
 * refused. A realm with none of these lets everybody do everything.
 *
 * @param name which of the nodes; may be left out where there is one only.
 * @throws {FileError} the file cannot be read or understood.
 * @throws {UsageError} no node or another one has that name.
 */
export function readConfig(
  file: string,
  name: string | undefined,
  uris: UriStrictness,
): NodeConfig {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new FileError(`cannot read the configuration ${file}: ${messageOf(cause)}`, { cause });
  }
  return readAll(new ConfigObject(parsed, file), (config) => {
    const realms = config.objects("realms", (realm) => readRealm(realm, uris)) ??
      [readRealm(new ConfigObject({ name: "realm1" }, file), uris)];
    const nodes = config.objects("nodes", readNode) ?? [];
    const linkKeyFile = config.text("linkKey");
    const trustedKeys = config.texts("linkTrust", (text) => publicKey.parse(text)) ?? [];
    const entry = nodeOf(nodes, name, file);
    return {
      node: entry.node,
      listen: entry.listen,
      links: entry.links ?? nodes.filter((other) => other !== entry).map(addressOf),
      realms,
      linkKeyFile: linkKeyFile === undefined ? undefined : resolve(dirname(file), linkKeyFile),
      trustedKeys,
    };
  });
}

function readNode(object: ConfigObject): NodeEntry {
  return {
    node: object.requiredText("node", (text) => nodeName.parse(text)),
    host: object.text("host") ?? "localhost",
    listen: object.texts("listen", (text) => listenUrl.parse(text)) ?? [],
    links: object.texts("links", (text) => linkUrl.parse(text)),
  };
}

function nodeOf(nodes: readonly NodeEntry[], name: string | undefined, file: string): NodeEntry {
  const names = nodes.map(({ node }) => node);
  const twice = names.find((node, index) => names.indexOf(node) !== index);
  if (twice !== undefined) throw new FileError(`${file} has two nodes that are called ${twice}`);
  const entry = name === undefined
    ? nodes.length === 1 ? nodes[0] : undefined
    : nodes.find(({ node }) => node === name);
  if (entry === undefined) {
    const expected = names.length === 0 ? "no node at all" : `the nodes ${names.join(", ")}`;
    throw new UsageError(
      `${file} has ${expected}; say with --node which of them this router is`,
    );
  }
  if (entry.listen.length === 0) throw new FileError(`${file}: ${entry.node} listens on nothing`);
  return entry;
}

/** Where a node is reached: by rawsocket where it has one, on its own host unless an address says. */
function addressOf({ node, host, listen }: NodeEntry): ListenUrl {
  const plain = listen.filter((url) => !isSecure(url));
  const url = plain.find(({ kind }) => kind === "rawsocket") ?? plain[0];
  if (url === undefined || url.endpoint.port === 0) {
    throw new FileError(
      `${node} listens on no port without TLS that others can know; links are impossible`,
    );
  }
  const isAnywhere = ["", "::", "0.0.0.0"].includes(url.endpoint.host);
  return isAnywhere ? { ...url, endpoint: { ...url.endpoint, host } } : url;
}

function readRealm(object: ConfigObject, uris: UriStrictness): RealmSettings {
  const name = object.requiredText("name", (text) => realmName.parse(text));
  const isClosed = object.isNull("anonymous");
  const named = isClosed ? undefined : object.text("anonymous", (text) => realmName.parse(text));
  const declared = object.objects("roles", readRole) ?? [];
  const principals = object.objects("principals", readPrincipal) ?? [];
  const isDeclared = (role: string) => declared.some((one) => one.name === role);
  // Where the file says who may do what, those who log in as nobody need to be mentioned.
  const isOpen = !isClosed && declared.length === 0 && principals.length === 0;
  const anonymousRole = named ??
    (isOpen || !isClosed && isDeclared("anonymous") ? "anonymous" : undefined);
  if (anonymousRole === routerRole) {
    throw new FileError(`realm ${name}: only routers with a key have the role ${routerRole}`);
  }
  const keys = principals.map(({ publicKey }) => publicKey);
  const twice = keys.find((key, index) => keys.indexOf(key) !== index);
  if (twice !== undefined) {
    throw new FileError(`realm ${name} has two principals with key ${twice}`);
  }
  const needed = new Set(principals.flatMap(({ roles }) => roles));
  if (anonymousRole !== undefined) needed.add(anonymousRole);
  const others = [...needed].filter((role) => !isDeclared(role)).map((role) => {
    // Without any role that is declared, each may do everything, as it may without a file.
    if (declared.length === 0) return Role.unrestricted(role);
    throw new FileError(`the role ${role} of realm ${name} is not declared in its "roles"`);
  });
  return { name, roles: [...declared, ...others], uris, anonymousRole, principals };
}

function readRole(object: ConfigObject): Role {
  return new Role(
    object.requiredText("name", (text) => realmName.parse(text)),
    object.objects("permissions", readPermission) ?? [],
  );
}

function readPermission(object: ConfigObject): Permission {
  const uri = object.requiredText("uri");
  const match = object.text("match", matchPolicy) ?? "exact";
  const allow = object.object("allow", (allowed) =>
    Object.fromEntries(
      actions.map((action) => [action, allowed.boolean(action) ?? false]),
    )) ?? {};
  const disclose = object.object("disclose", (disclosed) => ({
    caller: disclosed.boolean("caller") ?? false,
    publisher: disclosed.boolean("publisher") ?? false,
  }));
  return { uri, match, allow, ...disclose === undefined ? {} : { disclose } };
}

function readPrincipal(object: ConfigObject): Principal {
  const key = object.requiredText("key", (text) => publicKey.parse(text));
  const roles = object.texts("roles", (text) => realmName.parse(text)) ?? [];
  if (roles.length === 0) throw new FileError(`the principal with the key ${key} has no roles`);
  return { authid: object.requiredText("authid"), publicKey: key, roles };
}

function matchPolicy(text: string): MatchPolicy {
  const match = matchPolicies.find((policy) => policy === text);
  if (match !== undefined) return match;
  throw new UsageError(`"${text}" is unknown; use ${matchPolicies.join(", ")}`);
}
