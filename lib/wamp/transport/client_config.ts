import { readFileSync } from "node:fs";
import { FileError, messageOf, UsageError } from "../../errors.ts";
import { type ClientUrl, parseClientUrl } from "./client_url.ts";

/**
 * Reads the URLs of routers from a file: the `client.ini` of Crossbar's example, with a section for each
 * node and `url=` in it, or JSON, an object of the same form (`{"edge1": {"url": "ws://…"}}`).
 *
 * @throws {FileError} the file cannot be read or understood, or names no URL.
 */
export function readClientConfig(path: string): ClientUrl[] {
  const text = readText(path);
  const urls = text.trimStart().startsWith("{") ? urlsOfJson(path, text) : urlsOfIni(path, text);
  if (urls.length === 0) {
    throw new FileError(
      `${path} names no router; write a section for each node with its URL: [node1], and below it ` +
        `url=ws://localhost:8081/ws`,
    );
  }
  return urls.map(({ url, where }) => {
    try {
      return parseClientUrl(url);
    } catch (cause) {
      if (!(cause instanceof UsageError)) throw cause;
      throw new FileError(`${path}, ${where}: ${messageOf(cause)}`, { cause });
    }
  });
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new FileError(`cannot read ${path} (--config): ${messageOf(cause)}`, { cause });
  }
}

interface Found {
  readonly url: string;
  readonly where: string;
}

/** As Python's configparser reads it: sections, `key = value` or `key: value`, `#` and `;`. */
function urlsOfIni(path: string, text: string): Found[] {
  const found: Found[] = [];
  let section = "";
  for (const [index, whole] of text.split(/\r?\n/).entries()) {
    const line = whole.trim();
    if (line === "" || line.startsWith("#") || line.startsWith(";")) continue;
    const header = /^\[([^\]]+)\]$/.exec(line);
    const pair = /^([^=:]+?)\s*[=:]\s*(.*)$/.exec(line);
    if (header !== null) section = header[1]!;
    else if (pair === null || section === "") {
      throw new FileError(
        `${path}, line ${index + 1}: ${JSON.stringify(line)} is neither a [section] nor a ` +
          `key=value in one`,
      );
    } else if (pair[1]!.toLowerCase() === "url") {
      found.push({ url: pair[2]!, where: `line ${index + 1}` });
    }
  }
  return found;
}

function urlsOfJson(path: string, text: string): Found[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new FileError(`${path} is not JSON: ${messageOf(cause)}`, { cause });
  }
  return Object.entries(parsed as object).flatMap(([node, entry]) => {
    const url = (entry as { url?: unknown } | null)?.url;
    if (url === undefined) return [];
    if (typeof url === "string") return [{ url, where: `"${node}"` }];
    throw new FileError(`${path}, "${node}": the url is ${JSON.stringify(url)}, not a text`);
  });
}
