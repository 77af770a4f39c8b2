/** The message codes of WAMP version 2 (specification, section "Messages"). */
export const codes = {
  hello: 1,
  welcome: 2,
  abort: 3,
  challenge: 4,
  authenticate: 5,
  goodbye: 6,
  error: 8,
  publish: 16,
  published: 17,
  subscribe: 32,
  subscribed: 33,
  unsubscribe: 34,
  unsubscribed: 35,
  event: 36,
  call: 48,
  cancel: 49,
  result: 50,
  register: 64,
  registered: 65,
  unregister: 66,
  unregistered: 67,
  invocation: 68,
  interrupt: 69,
  yield: 70,
} as const;

export type MessageCode = (typeof codes)[keyof typeof codes];

const names = new Map<number, string>(
  Object.entries(codes).map(([name, code]) => [code, name.toUpperCase()]),
);

/** `PUBLISH` of 16; `message 99` where there is no such code. */
export function messageName(code: number): string {
  return names.get(code) ?? `message ${code}`;
}

/** At which element the arguments of the application begin; -1 in messages that carry none. */
export function payloadIndex(code: number): number {
  switch (code) {
    case codes.yield:
    case codes.result:
      return 3;
    case codes.publish:
    case codes.event:
    case codes.call:
    case codes.invocation:
      return 4;
    case codes.error:
      return 5;
    default:
      return -1;
  }
}
