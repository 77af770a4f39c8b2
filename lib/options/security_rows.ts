import { row } from "./row.ts";
import { file, flag } from "./text.ts";

/**
 * Options about whom a client trusts.
 *
 * @param schemes of the endpoints that have a certificate.
 */
export function trustRows(category: string, schemes: readonly string[]) {
  return {
    caFile: row({
      name: "ca",
      kind: file,
      category,
      summary: "PEM certificates of the authorities to trust",
      otherwise: "the system's",
      schemes,
    }),
    insecure: row({
      name: "insecure",
      kind: flag,
      default: false,
      category,
      summary: "accept any certificate",
      conflicts: ["caFile"],
      schemes,
    }),
  };
}

/**
 * Options about the certificate of a server.
 *
 * @param schemes of the endpoints that have one.
 */
export function certificateRows(category: string, schemes: readonly string[]) {
  const names = `${schemes.slice(0, -1).join(", ")} and ${schemes.at(-1)}`;
  return {
    certFile: row({
      name: "cert",
      kind: file,
      category,
      summary: `PEM certificate chain for ${names}, leaf first`,
      otherwise: "one made at start",
      requires: ["keyFile"],
      schemes,
    }),
    keyFile: row({
      name: "key",
      kind: file,
      category,
      summary: "PEM private key of the certificate",
      requires: ["certFile"],
      schemes,
    }),
    writeCertDirectory: row({
      name: "write-cert",
      kind: file,
      placeholder: "dir",
      category,
      summary: "keep the certificate made at start here, so that clients can verify it",
      conflicts: ["certFile"],
      schemes,
    }),
  };
}
