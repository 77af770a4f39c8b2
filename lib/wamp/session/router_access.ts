import type { CommandLine } from "../../options/command_line.ts";
import { checkForSchemes } from "../../options/resolve.ts";
import type { Rows, SettingsOf } from "../../options/row.ts";
import { readAuthorities } from "../../transport/certificate_files.ts";
import type { TlsDialSettings } from "../../transport/transport.ts";
import { readSigningKey, seedOfHex } from "../cryptosign/signing_key_file.ts";
import type { ClientUrl } from "../transport/client_url.ts";
import { type TargetSettings, targetsOf } from "../transport/targets.ts";
import { schemeOf } from "../transport/wamp_url.ts";

/** With what a client logs in; plain data, and secret. */
export interface Credentials {
  /** Undefined: whom the router knows by the key. */
  readonly authid: string | undefined;
  /** The private key: 32 bytes in hex. */
  readonly seed: string;
}

/** Where sessions go and as whom; plain data. */
export interface RouterAccess {
  /** Session k goes to the URL k mod their number. */
  readonly urls: readonly ClientUrl[];
  readonly realm: string;
  readonly tls: TlsDialSettings;
  /** Undefined: as nobody. */
  readonly credentials: Credentials | undefined;
}

/** Whom a client trusts and who it is where nothing is said. */
export const openAccess: Pick<RouterAccess, "tls" | "credentials"> = {
  tls: { insecure: false, alpn: [] },
  credentials: undefined,
};

export interface AccessSettings extends TargetSettings {
  readonly realm: string;
  readonly caFile: string | undefined;
  readonly insecure: boolean;
  readonly authid: string | undefined;
  readonly signingKey: string | undefined;
}

/**
 * What the options say about the routers, with the files read.
 *
 * @throws {UsageError} no router is named, or an option has no meaning for any of them.
 * @throws {FileError} a file cannot be read or used.
 */
export function routerAccessOf<R extends Rows>(
  rows: R,
  { settings, given }: Pick<CommandLine<SettingsOf<R> & AccessSettings>, "settings" | "given">,
): RouterAccess {
  const urls = targetsOf(settings);
  checkForSchemes(rows, { settings, given }, urls.map(schemeOf));
  const { realm, caFile, insecure, authid, signingKey } = settings;
  return {
    urls,
    realm,
    tls: {
      insecure,
      alpn: [],
      ...(caFile === undefined ? {} : { ca: readAuthorities(caFile) }),
    },
    credentials: signingKey === undefined ? undefined : { authid, seed: seedOf(signingKey) },
  };
}

function seedOf(signingKey: string): string {
  const seed = seedOfHex(signingKey) ?? readSigningKey(signingKey, "the key of --key");
  return Buffer.from(seed).toString("hex");
}
