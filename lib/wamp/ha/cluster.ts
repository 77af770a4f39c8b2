import { join } from "node:path";
import type { Endpoint } from "../../transport/endpoint.ts";
import { routerRows } from "../router/options.ts";
import { Child, holdfastCommand, waitFor } from "./child.ts";
import { freePorts } from "./free_ports.ts";
import { LinkRelay } from "./link_relay.ts";

export interface ClusterSettings {
  readonly nodes: number;
  readonly realm: string;
  /** Port of the first node's WebSocket, the others follow; 0: free ones. */
  readonly firstPort: number;
  /** Where the key of the links lies, and whatever else is written. */
  readonly folder: string;
  /** Pairs of nodes whose links can be cut. */
  readonly cuttable: readonly (readonly [number, number])[];
  /** A router has ended by itself. */
  ended(child: Child): void;
}

export type NodeState = "up" | "down" | "frozen";

export interface ClusterNode {
  /** From 1. */
  readonly number: number;
  /** `node1`: its name in the balancer and in WELCOME. */
  readonly name: string;
  readonly wsPort: number;
  readonly rsPort: number;
  child: Child | undefined;
  state: NodeState;
}

const startLimitMs = 20_000;
const host = "127.0.0.1";

/** Routers on this host, each linked to every other, as children of this process. */
export class Cluster {
  readonly nodes: readonly ClusterNode[];
  readonly #settings: ClusterSettings;
  readonly #relays = new Map<string, LinkRelay>();

  /** @throws {HostLimitError} there are no free ports. */
  constructor(settings: ClusterSettings) {
    this.#settings = settings;
    const { nodes, firstPort, cuttable } = settings;
    const ports = freePorts(nodes * 2);
    this.nodes = Array.from({ length: nodes }, (_, index) => ({
      number: index + 1,
      name: `node${index + 1}`,
      wsPort: firstPort === 0 ? ports[index]! : firstPort + index,
      rsPort: ports[nodes + index]!,
      child: undefined,
      state: "down",
    }));
    for (const [first, second] of cuttable) {
      for (const [from, to] of [[first, second], [second, first]] as const) {
        const target = { hostname: host, port: this.nodes[to - 1]!.rsPort };
        this.#relays.set(`${from}-${to}`, new LinkRelay(target));
      }
    }
  }

  /** @throws {HostLimitError} a router does not start, or the mesh is not complete in time. */
  async start(signal: AbortSignal): Promise<void> {
    // The first one makes the key that all share.
    for (const node of this.nodes.slice(0, 1)) {
      this.launch(node.number);
      await waitFor(
        `the start of ${node.name}`,
        startLimitMs,
        [node.child!],
        signal,
        () => isServing(node.wsPort),
      );
    }
    for (const { number } of this.nodes.slice(1)) this.launch(number);
    const children = this.nodes.map(({ child }) => child!);
    await waitFor(
      "the start of the routers and their links",
      startLimitMs,
      children,
      signal,
      () => this.isMeshComplete(),
    );
  }

  /** Starts the router of a node; a return is the same. */
  launch(number: number): void {
    const node = this.nodes[number - 1]!;
    if (node.state === "frozen") {
      node.child!.signal("SIGCONT");
    } else {
      node.child = new Child(node.name, this.#command(node));
      node.child.watch((child) => this.#settings.ended(child));
    }
    node.state = "up";
  }

  kill(number: number): void {
    this.#signal(number, "SIGKILL", "down");
  }

  freeze(number: number): void {
    this.#signal(number, "SIGSTOP", "frozen");
  }

  stopInOrder(number: number): void {
    this.#signal(number, "SIGTERM", "down");
  }

  #signal(number: number, signal: "SIGKILL" | "SIGSTOP" | "SIGTERM", state: NodeState): void {
    const node = this.nodes[number - 1]!;
    node.child?.signal(signal);
    node.state = state;
  }

  cutLink(first: number, second: number, isCut: boolean): void {
    for (const name of [`${first}-${second}`, `${second}-${first}`]) {
      const relay = this.#relays.get(name)!;
      if (isCut) relay.cut();
      else relay.restore();
    }
  }

  /** Whether every router that should be up is linked to all others. */
  async isMeshComplete(): Promise<boolean> {
    const up = this.nodes.filter(({ state }) => state === "up");
    const linked = await Promise.all(up.map(({ wsPort }) => linksUp(wsPort)));
    return linked.every((links) => links >= up.length - 1);
  }

  isServing(number: number): Promise<boolean> {
    return isServing(this.nodes[number - 1]!.wsPort);
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map(({ child }) => child?.end()));
    for (const relay of this.#relays.values()) relay.close();
  }

  #command(node: ClusterNode): string[] {
    const { realm, folder } = this.#settings;
    const links = this.nodes.filter(({ number }) => number !== node.number).flatMap((other) => {
      const relay = this.#relays.get(`${node.number}-${other.number}`);
      return ["--link", `rs://${host}:${relay?.port ?? other.rsPort}`];
    });
    return holdfastCommand(
      routerRows,
      ...["wamp", "router", "--node", node.name, "--realm", realm],
      ...["--listen", `ws://${host}:${node.wsPort}/ws`, "--listen", `rs://${host}:${node.rsPort}`],
      ...links,
      ...(links.length > 0 ? ["--link-key", join(folder, "link.key")] : []),
      ...["--stats", "off", "--quiet"],
    );
  }
}

/** Whether a router answers there. */
async function isServing(port: number): Promise<boolean> {
  return await ask(port, "/info") !== undefined;
}

/** The name of the router that answers behind a balancer; undefined: none does. */
export async function nodeBehind({ host: name, port }: Endpoint): Promise<string | undefined> {
  const text = await ask(port, "/info", name === "" ? "localhost" : name);
  return text === undefined ? undefined : /router (\S+) with PID/.exec(text)?.[1];
}

/** How many links of a router are up; -1 where it does not answer. */
async function linksUp(port: number): Promise<number> {
  const text = await ask(port, "/stats");
  if (text === undefined) return -1;
  const { links } = JSON.parse(text) as { links: { state: string }[] };
  return links.filter(({ state }) => state === "up").length;
}

async function ask(port: number, path: string, name = host): Promise<string | undefined> {
  const address = name.includes(":") ? `[${name}]` : name;
  try {
    const response = await fetch(`http://${address}:${port}${path}`, {
      signal: AbortSignal.timeout(500),
      keepalive: false,
    });
    return response.ok ? await response.text() : undefined;
  } catch {
    return undefined;
  }
}
