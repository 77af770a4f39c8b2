/** What a client says of itself in HELLO: the features of the advanced profile that it knows. */
export const clientRoles = {
  publisher: {
    features: {
      publisher_identification: true,
      publisher_exclusion: true,
      subscriber_blackwhite_listing: true,
    },
  },
  subscriber: { features: { publisher_identification: true, pattern_based_subscription: true } },
  caller: { features: { caller_identification: true, call_timeout: true, call_canceling: true } },
  callee: {
    features: {
      caller_identification: true,
      pattern_based_registration: true,
      shared_registration: true,
    },
  },
} as const;
