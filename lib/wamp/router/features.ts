import { isDict } from "../message/check.ts";
import type { Dict } from "../message/message.ts";

/** What the router can do, as WELCOME announces it. */
export const routerRoles: Dict = {
  broker: {
    features: {
      publisher_exclusion: true,
      publisher_identification: true,
      subscriber_blackwhite_listing: true,
      pattern_based_subscription: true,
      session_meta_api: true,
      subscription_meta_api: true,
      payload_passthru_mode: true,
    },
  },
  dealer: {
    features: {
      caller_identification: true,
      call_canceling: true,
      call_timeout: true,
      pattern_based_registration: true,
      shared_registration: true,
      progressive_call_results: true,
      session_meta_api: true,
      registration_meta_api: true,
      payload_passthru_mode: true,
    },
  },
};

/** What a callee can do beyond the basic profile, of what the dealer asks for. */
export interface CalleeFeatures {
  readonly canBeCanceled: boolean;
  readonly givesProgress: boolean;
  readonly handlesTimeouts: boolean;
}

/**
 * Reads the roles of HELLO. They are not kept: a client may announce whatever it likes, and as much.
 */
export function calleeFeatures(roles: Dict): CalleeFeatures {
  const callee = isDict(roles["callee"]) ? roles["callee"] : {};
  const features = isDict(callee["features"]) ? callee["features"] : {};
  return {
    canBeCanceled: features["call_canceling"] === true,
    givesProgress: features["progressive_call_results"] === true,
    handlesTimeouts: features["call_timeout"] === true,
  };
}
