import { messageOf } from "../../errors.ts";
import type { CertificatePair } from "../../transport/transport.ts";
import { closeReasons } from "../message/errors.ts";
import type { Connection, Receiver, WampListener } from "../transport/connection.ts";
import type { ListenUrl } from "../transport/listen_url.ts";
import { listenRawSocket } from "../transport/rawsocket_listener.ts";
import { StandstillWatch } from "../transport/standstill.ts";
import { listenWebSocket } from "../transport/websocket_listener.ts";
import { RouterClient } from "./client.ts";
import { newCounters } from "./counters.ts";
import type { SigningKey } from "../cryptosign/cryptosign.ts";
import { Link } from "./link.ts";
import { LinkSet } from "./link_set.ts";
import { Realm, type RealmSettings } from "./realm.ts";
import { routerPage } from "./router_page.ts";

export interface RouterSettings {
  /** The name of this router among others. */
  readonly node: string;
  readonly realms: readonly RealmSettings[];
  /** Of addresses with TLS. */
  readonly certificate?: CertificatePair | undefined;
  readonly pingIntervalMs: number;
  readonly maxMessageBytes: number;
  readonly maxPendingBytes: number;
  /** A line about something unusual. */
  note(line: string): void;
}

/** How long sessions may take to answer GOODBYE when the router stops. */
const farewellMs = 500;

/** A WAMP router: its realms, its listeners, and whoever is connected. */
export class Router {
  readonly node: string;
  readonly pid = process.pid;
  readonly counters = newCounters();
  readonly startedMs = performance.now();
  readonly realms: ReadonlyMap<string, Realm>;
  readonly listeners: WampListener[] = [];
  readonly links: Link[] = [];
  readonly #instance = crypto.randomUUID();
  readonly #settings: RouterSettings;
  readonly #clients = new Set<RouterClient>();
  readonly #standstill = new StandstillWatch(() => this.#stoodStill());

  constructor(settings: RouterSettings) {
    this.node = settings.node;
    this.#settings = settings;
    this.realms = new Map(
      settings.realms.map((
        realm,
      ) => [realm.name, new Realm(realm, this.counters, this.#standstill)]),
    );
  }

  realmOf(name: string): Realm | undefined {
    return this.realms.get(name);
  }

  /**
   * @throws {HostLimitError} the address cannot be bound.
   * @throws {UsageError} it has TLS, and there is no certificate.
   */
  listen(url: ListenUrl): WampListener {
    const settings = {
      ...this.#settings,
      standstill: this.#standstill,
      accept: (connection: Connection) => this.#accept(connection),
      failed: (error: unknown) => this.failed(error),
      page: (path: string, peer: string) => routerPage(this, path, peer),
    };
    const listener = url.kind === "websocket"
      ? listenWebSocket(url, settings)
      : listenRawSocket(url, settings);
    this.listeners.push(listener);
    return listener;
  }

  /**
   * Links every realm to another router, now and whenever the link breaks.
   *
   * @param key what this router logs in with there.
   */
  linkTo(urls: readonly ListenUrl[], key: SigningKey): void {
    for (const realm of this.realms.values()) {
      const set = new LinkSet(this.node);
      realm.linkTo(set);
      for (const url of urls) {
        const link: Link = new Link({
          url,
          realm,
          node: this.node,
          instance: this.#instance,
          key,
          counters: this.counters,
          maxMessageBytes: this.#settings.maxMessageBytes,
          standstill: this.#standstill,
          isLinkedTo: (node) => set.hasUp(node),
          note: (line) => this.#settings.note(line),
        });
        set.add(link);
        this.links.push(link);
      }
    }
  }

  #accept(connection: Connection): Receiver {
    const client = new RouterClient(this, connection);
    this.#clients.add(client);
    return {
      message: (message) => client.message(message),
      closed: () => {
        this.#clients.delete(client);
        client.closed();
      },
    };
  }

  checkStandstill(): void {
    this.#standstill.check();
  }

  /** Nothing that has come meanwhile is acted on before it is known that its sender is still there. */
  #stoodStill(): void {
    this.counters.standstills++;
    for (const client of this.#clients) client.doubt();
    for (const link of this.links) link.doubt();
    for (const { broker } of this.realms.values()) broker.linkOutbox.doubt();
  }

  /** An exception that should not have happened. The session that caused it has ended. */
  failed(error: unknown): void {
    this.counters.failures++;
    this.#settings.note(`a session has ended with a failure of the router: ${messageOf(error)}`);
  }

  /**
   * Says GOODBYE to everybody, and frees the addresses. Those who come back at once are refused, so that
   * a balancer sends them to another router.
   */
  async stop(): Promise<void> {
    for (const listener of this.listeners) listener.stopAccepting();
    for (const link of this.links) link.stop();
    for (const client of [...this.#clients]) client.goodbye(closeReasons.systemShutdown);
    const endMs = performance.now() + farewellMs;
    while (this.#clients.size > 0 && performance.now() < endMs) await Bun.sleep(5);
    await Promise.all(this.listeners.map((listener) => listener.stop()));
    for (const realm of this.realms.values()) realm.links.stop();
    this.#standstill.stop();
  }
}
