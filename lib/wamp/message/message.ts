import type { codes } from "./codes.ts";

// The messages as they are serialized: a list that begins with its code. Specification, section
// "Messages"; CANCEL and INTERRUPT are of the advanced profile.

export type Dict = Readonly<Record<string, unknown>>;

/** Positional arguments; bytes in payload transparency mode. */
export type Args = readonly unknown[] | Uint8Array;

type Codes = typeof codes;

export type Hello = readonly [code: Codes["hello"], realm: string, details: Dict];
export type Welcome = readonly [code: Codes["welcome"], session: number, details: Dict];
export type Abort = readonly [
  code: Codes["abort"],
  details: Dict,
  reason: string,
  args?: Args,
  kwargs?: Dict,
];
export type Challenge = readonly [code: Codes["challenge"], method: string, extra: Dict];
export type Authenticate = readonly [code: Codes["authenticate"], signature: string, extra: Dict];
export type Goodbye = readonly [code: Codes["goodbye"], details: Dict, reason: string];
export type ErrorMessage = readonly [
  code: Codes["error"],
  requestCode: number,
  request: number,
  details: Dict,
  error: string,
  args?: Args,
  kwargs?: Dict,
];
export type Publish = readonly [
  code: Codes["publish"],
  request: number,
  options: Dict,
  topic: string,
  args?: Args,
  kwargs?: Dict,
];
export type Published = readonly [code: Codes["published"], request: number, publication: number];
export type Subscribe = readonly [
  code: Codes["subscribe"],
  request: number,
  options: Dict,
  topic: string,
];
export type Subscribed = readonly [
  code: Codes["subscribed"],
  request: number,
  subscription: number,
];
export type Unsubscribe = readonly [
  code: Codes["unsubscribe"],
  request: number,
  subscription: number,
];
/** Request 0, with details: the router has ended the subscription. */
export type Unsubscribed = readonly [code: Codes["unsubscribed"], request: number, details?: Dict];
export type Event = readonly [
  code: Codes["event"],
  subscription: number,
  publication: number,
  details: Dict,
  args?: Args,
  kwargs?: Dict,
];
export type Call = readonly [
  code: Codes["call"],
  request: number,
  options: Dict,
  procedure: string,
  args?: Args,
  kwargs?: Dict,
];
export type Cancel = readonly [code: Codes["cancel"], request: number, options: Dict];
export type Result = readonly [
  code: Codes["result"],
  request: number,
  details: Dict,
  args?: Args,
  kwargs?: Dict,
];
export type Register = readonly [
  code: Codes["register"],
  request: number,
  options: Dict,
  procedure: string,
];
export type Registered = readonly [
  code: Codes["registered"],
  request: number,
  registration: number,
];
export type Unregister = readonly [
  code: Codes["unregister"],
  request: number,
  registration: number,
];
/** Request 0, with details: the router has ended the registration. */
export type Unregistered = readonly [code: Codes["unregistered"], request: number, details?: Dict];
export type Invocation = readonly [
  code: Codes["invocation"],
  request: number,
  registration: number,
  details: Dict,
  args?: Args,
  kwargs?: Dict,
];
export type Interrupt = readonly [code: Codes["interrupt"], request: number, options: Dict];
export type Yield = readonly [
  code: Codes["yield"],
  request: number,
  options: Dict,
  args?: Args,
  kwargs?: Dict,
];

/** What a client may send to a router. */
export type ClientMessage =
  | Hello
  | Abort
  | Authenticate
  | Goodbye
  | ErrorMessage
  | Publish
  | Subscribe
  | Unsubscribe
  | Call
  | Cancel
  | Register
  | Unregister
  | Yield;

/** What a router may send to a client. */
export type RouterMessage =
  | Welcome
  | Abort
  | Challenge
  | Goodbye
  | ErrorMessage
  | Published
  | Subscribed
  | Unsubscribed
  | Event
  | Result
  | Registered
  | Unregistered
  | Invocation
  | Interrupt;

export type Message = ClientMessage | RouterMessage;
