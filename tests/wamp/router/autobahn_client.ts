import autobahn from "autobahn";

export type SerializerName = "json" | "msgpack" | "cbor";

/** What the tests use of a session of autobahn. */
export interface AutobahnSession {
  readonly id: number;
  subscribe(
    topic: string,
    handler: (args: unknown[], kwargs: unknown, details: Record<string, unknown>) => void,
    options?: Record<string, unknown>,
  ): Promise<{ readonly id: number }>;
  publish(
    topic: string,
    args: unknown[],
    kwargs: unknown,
    options: Record<string, unknown>,
  ): Promise<{ readonly id: number }>;
  register(
    procedure: string,
    handler: (
      args: unknown[],
      kwargs: unknown,
      details: { readonly procedure?: string; progress(args: unknown[]): void },
    ) => unknown,
    options?: Record<string, unknown>,
  ): Promise<unknown>;
  call(
    procedure: string,
    args?: unknown[],
    kwargs?: unknown,
    options?: Record<string, unknown>,
  ): Promise<unknown>;
}

export interface AutobahnClient {
  readonly session: AutobahnSession;
  readonly details: Record<string, unknown>;
  close(): Promise<void>;
}

// deno-lint-ignore no-explicit-any
const library = autobahn as any;

/** Joins a realm with the library `autobahn` of npm. */
export function joinWithAutobahn(
  url: string,
  serializer: SerializerName,
  options: Record<string, unknown> = {},
): Promise<AutobahnClient> {
  const { JSONSerializer, MsgpackSerializer, CBORSerializer } = library.serializer;
  const chosen = { json: JSONSerializer, msgpack: MsgpackSerializer, cbor: CBORSerializer };
  const transports = url.startsWith("rs:")
    ? [{
      type: "rawsocket",
      host: new URL(url.replace("rs:", "http:")).hostname,
      port: Number(new URL(url.replace("rs:", "http:")).port),
      serializer,
    }]
    : [{ type: "websocket", url, serializers: [new chosen[serializer]()] }];
  const connection = new library.Connection({
    realm: "realm1",
    max_retries: 0,
    transports,
    on_user_error() {},
    on_internal_error() {},
    ...options,
  });
  return new Promise((resolve, reject) => {
    let ended: () => void = () => {};
    connection.onopen = (session: AutobahnSession, details: Record<string, unknown>) => {
      resolve({
        session,
        details,
        close() {
          const closed = new Promise<void>((done) => ended = done);
          connection.close();
          return closed;
        },
      });
    };
    connection.onclose = (reason: string, details: Record<string, unknown>) => {
      reject(new Error(`${reason}: ${JSON.stringify(details)}`));
      ended();
      return true;
    };
    connection.open();
  });
}
