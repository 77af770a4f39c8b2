import { HostLimitError, messageOf } from "../../errors.ts";

/**
 * Ports of loopback that nobody listens on now. All are held at the same time, so that they differ.
 *
 * @throws {HostLimitError} there are not so many.
 */
export function freePorts(count: number): number[] {
  const listeners: Bun.TCPSocketListener<undefined>[] = [];
  try {
    for (let index = 0; index < count; index++) {
      listeners.push(Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }));
    }
    return listeners.map(({ port }) => port);
  } catch (cause) {
    throw new HostLimitError(`${count} free ports were not found: ${messageOf(cause)}`, { cause });
  } finally {
    for (const listener of listeners) listener.stop(true);
  }
}
