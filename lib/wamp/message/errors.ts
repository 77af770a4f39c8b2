/** The URIs that the specification gives to errors and to reasons of closing. */
export const errors = {
  invalidUri: "wamp.error.invalid_uri",
  invalidArgument: "wamp.error.invalid_argument",
  invalidPayload: "wamp.error.invalid_payload",
  protocolViolation: "wamp.error.protocol_violation",
  noSuchProcedure: "wamp.error.no_such_procedure",
  procedureAlreadyExists: "wamp.error.procedure_already_exists",
  procedureExistsWithDifferentPolicy:
    "wamp.error.procedure_exists_with_different_invocation_policy",
  noSuchRegistration: "wamp.error.no_such_registration",
  noSuchSubscription: "wamp.error.no_such_subscription",
  noSuchSession: "wamp.error.no_such_session",
  noSuchRealm: "wamp.error.no_such_realm",
  noSuchRole: "wamp.error.no_such_role",
  noSuchPrincipal: "wamp.error.no_such_principal",
  noMatchingAuthMethod: "wamp.error.no_matching_auth_method",
  authenticationRequired: "wamp.error.authentication_required",
  authenticationDenied: "wamp.error.authentication_denied",
  authenticationFailed: "wamp.error.authentication_failed",
  notAuthorized: "wamp.error.not_authorized",
  authorizationFailed: "wamp.error.authorization_failed",
  canceled: "wamp.error.canceled",
  timeout: "wamp.error.timeout",
  unavailable: "wamp.error.unavailable",
  optionNotAllowed: "wamp.error.option_not_allowed",
  featureNotSupported: "wamp.error.feature_not_supported",
  payloadSizeExceeded: "wamp.error.payload_size_exceeded",
} as const;

/** Reasons in GOODBYE. */
export const closeReasons = {
  normal: "wamp.close.normal",
  goodbyeAndOut: "wamp.close.goodbye_and_out",
  closeRealm: "wamp.close.close_realm",
  systemShutdown: "wamp.close.system_shutdown",
  killed: "wamp.close.killed",
} as const;
