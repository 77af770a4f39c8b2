import type { Bytes } from "./bytes.ts";

/** What is used of `AbstractMessageStream` of `@libp2p/utils`: connections, their encryption, streams. */
export interface MessageSource {
  readonly readStatus: string;
  readonly remoteWriteStatus: string;
  readonly readBufferLength: number;
  listenerCount(type: string): number;
  onData(bytes: Bytes): void;
  safeDispatchEvent(type: string, detail?: object): boolean;
}

/**
 * Hands what comes to the one listener of a source's messages directly, for as long as there is just
 * one and nothing is in the way: an event of the platform costs more than what it carries, and on its
 * way from the socket to its reader a message was three of them.
 *
 * @param take does with bytes what the listener does with a message of them.
 */
export function handDirectly(source: MessageSource, take: (bytes: Bytes) => void): void {
  const onData = source.onData.bind(source);
  source.onData = (bytes) => {
    const isPlain = bytes.byteLength > 0 && source.readStatus === "readable" &&
      source.remoteWriteStatus === "writable" && source.readBufferLength === 0 &&
      source.listenerCount("message") === 1;
    if (isPlain) take(bytes);
    else onData(bytes);
  };
}

/** Spares the making of events that nobody listens to, such as "idle" after every write. */
export function tellListenersAlone(source: MessageSource): void {
  const dispatch = source.safeDispatchEvent.bind(source);
  source.safeDispatchEvent = (type, detail) =>
    source.listenerCount(type) === 0 || dispatch(type, detail);
}
