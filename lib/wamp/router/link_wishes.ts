import { codes } from "../message/codes.ts";
import { errors } from "../message/errors.ts";
import type { RouterMessage } from "../message/message.ts";
import type { Realm } from "./realm.ts";
import type { Registration } from "./registration.ts";
import type { Subscription } from "./subscription.ts";

/** What means that clients of the other router have the procedure. */
const refusals: readonly string[] = [
  errors.procedureAlreadyExists,
  errors.procedureExistsWithDifferentPolicy,
];

/**
 * What a link has asked of the other router: the subscriptions and registrations there that stand for
 * those of clients here.
 */
export class LinkWishes {
  readonly #realm: Realm;
  readonly #send: (message: readonly unknown[]) => void;
  #lastRequest = 0;
  /** By request. */
  readonly #answers = new Map<number, (answer: RouterMessage | undefined) => void>();
  /** What the other router calls them. */
  readonly #subscriptions = new Map<Subscription, number>();
  readonly #registrations = new Map<Registration, number>();
  readonly #registrationsById = new Map<number, Registration>();

  constructor(realm: Realm, send: (message: readonly unknown[]) => void) {
    this.#realm = realm;
    this.#send = send;
  }

  /** Asks for all that clients want and offer. Settles when everything is answered. */
  async askAll(): Promise<void> {
    const { broker, dealer } = this.#realm;
    const answers: Promise<unknown>[] = [];
    for (const subscription of broker.subscriptions.values()) {
      if (subscription.interest.count > 0) answers.push(this.subscribe(subscription));
    }
    for (const registration of dealer.registrations.values()) {
      if (registration.interest.count > 0) answers.push(this.register(registration));
    }
    await Promise.all(answers);
  }

  /** The connection has ended: nothing is there any more, and nobody waits for an answer. */
  forget(): void {
    this.#subscriptions.clear();
    this.#registrations.clear();
    this.#registrationsById.clear();
    const answers = [...this.#answers.values()];
    this.#answers.clear();
    for (const answered of answers) answered(undefined);
  }

  /** Takes the answer to a request. */
  answered(request: number, answer: RouterMessage): void {
    this.#answers.get(request)?.(answer);
  }

  registrationOf(id: number): Registration | undefined {
    return this.#registrationsById.get(id);
  }

  subscribe(subscription: Subscription): Promise<unknown> {
    const { uri, match } = subscription;
    return this.#ask((request) => [codes.subscribe, request, { match }, uri], (answer) => {
      if (answer[0] !== codes.subscribed) return;
      this.#subscriptions.set(subscription, answer[2]);
      // Meanwhile nobody may want it any more, or somebody again.
      const wanted = this.#realm.broker.subscriptions.get(uri, match)?.interest.count ?? 0;
      if (subscription.interest.count === 0 && wanted === 0) this.unsubscribe(subscription);
    });
  }

  unsubscribe(subscription: Subscription): void {
    const id = this.#subscriptions.get(subscription);
    if (id === undefined) return;
    this.#subscriptions.delete(subscription);
    void this.#ask((request) => [codes.unsubscribe, request, id], () => {});
  }

  /** Settles with the URI of the error where clients of the other router have that procedure. */
  async register(registration: Registration): Promise<string | undefined> {
    const { uri, match, invoke } = registration;
    const answer = await this.#ask(
      (request) => [codes.register, request, { match, invoke }, uri],
      (answer) => {
        if (answer[0] !== codes.registered) return;
        this.#registrations.set(registration, answer[2]);
        this.#registrationsById.set(answer[2], registration);
        const wanted = this.#realm.dealer.registrations.get(uri, match)?.interest.count ?? 0;
        if (registration.interest.count === 0 && wanted === 0) this.unregister(registration);
      },
    );
    return answer?.[0] === codes.error && refusals.includes(answer[4]) ? answer[4] : undefined;
  }

  unregister(registration: Registration): void {
    const id = this.#registrations.get(registration);
    if (id === undefined) return;
    this.#registrations.delete(registration);
    this.#registrationsById.delete(id);
    void this.#ask((request) => [codes.unregister, request, id], () => {});
  }

  #ask(
    message: (request: number) => readonly unknown[],
    answered: (answer: RouterMessage) => void,
  ): Promise<RouterMessage | undefined> {
    const request = ++this.#lastRequest;
    return new Promise((resolve) => {
      this.#answers.set(request, (answer) => {
        this.#answers.delete(request);
        if (answer !== undefined) answered(answer);
        resolve(answer);
      });
      this.#send(message(request));
    });
  }
}
