import { UsageError } from "../../errors.ts";
import { readClientConfig } from "./client_config.ts";
import { type ClientUrl, parseClientUrl } from "./client_url.ts";

/** What the options of a client say about its routers. */
export interface TargetSettings {
  readonly urls: readonly string[];
  readonly configFile: string | undefined;
  readonly batched: boolean;
}

/**
 * The routers that the options name.
 *
 * @throws {UsageError} none, or batches on a rawsocket.
 * @throws {FileError} the file of `--config` cannot be used.
 */
export function targetsOf({ urls, configFile, batched }: TargetSettings): ClientUrl[] {
  const targets = configFile === undefined
    ? urls.map(parseClientUrl)
    : readClientConfig(configFile);
  if (targets.length === 0) {
    throw new UsageError(
      "no router is given; name one with --url ws://localhost:8080/ws, or several in a file with " +
        "--config client.ini",
    );
  }
  const raw = targets.find(({ kind }) => kind === "rawsocket");
  if (batched && raw !== undefined) {
    throw new UsageError(
      `--batched is a subprotocol of WebSockets, and ${raw.text} is a rawsocket; drop one of them`,
    );
  }
  return targets;
}
