import type { Registration } from "./registration.ts";
import type { Subscription } from "./subscription.ts";

/**
 * What has to be told to other routers: what this router's own clients want and offer. A promise
 * settles when the routers that are connected have answered, or take too long.
 */
export interface LinkedRouters {
  subscribed(subscription: Subscription): Promise<void> | undefined;
  unsubscribed(subscription: Subscription): void;
  registered(registration: Registration): Promise<void> | undefined;
  unregistered(registration: Registration): void;
}

/** Without links. */
export const noLinks: LinkedRouters = {
  subscribed: () => undefined,
  unsubscribed() {},
  registered: () => undefined,
  unregistered() {},
};
