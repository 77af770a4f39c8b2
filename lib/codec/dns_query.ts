import { UsageError } from "../errors.ts";

/** A question as it goes over the wire. */
export interface DnsQuery {
  /** As the user wrote it. */
  readonly text: string;
  /** The name in wire format (RFC 1035 section 3.1), root label included. */
  readonly name: Uint8Array;
  readonly type: number;
}

/** Types by name (IANA "Domain Name System Parameters"); all others are written TYPEnnn. */
const queryTypes: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  DS: 43,
  DNSKEY: 48,
  HTTPS: 65,
  ANY: 255,
  CAA: 257,
};

const maximumLabelBytes = 63;
const maximumNameBytes = 255;

/**
 * Reads `name/TYPE`, for instance `example.com/AAAA`, `./NS` or `example.com/TYPE64` (RFC 3597).
 * Names follow RFC 1035 section 5.1: `\.` is a dot within a label, `\065` the byte 65, and a dot at
 * the end changes nothing. A slash may be part of the name; the last one separates the type.
 *
 * @throws {UsageError} no type, an unknown one, a label over 63 bytes, a name over 255.
 */
export function parseDnsQuery(text: string): DnsQuery {
  const slash = text.lastIndexOf("/");
  if (slash < 1 || slash === text.length - 1) {
    throw new UsageError(
      `query ${JSON.stringify(text)} is not of the form name/TYPE, for instance example.com/A`,
    );
  }
  return {
    text,
    name: encodeName(text.slice(0, slash), text),
    type: parseType(text.slice(slash + 1), text),
  };
}

function parseType(typeText: string, text: string): number {
  const upper = typeText.toUpperCase();
  const named = Object.hasOwn(queryTypes, upper) ? queryTypes[upper] : undefined;
  if (named !== undefined) return named;
  const number = /^TYPE(\d{1,5})$/.exec(upper)?.[1];
  if (number !== undefined && Number(number) <= 0xffff) return Number(number);
  throw new UsageError(
    `query ${JSON.stringify(text)} has the unknown type ${JSON.stringify(typeText)}; ` +
      `use one of ${Object.keys(queryTypes).join(", ")} or TYPE0 to TYPE65535`,
  );
}

function encodeName(nameText: string, text: string): Uint8Array {
  const fail = (reason: string) => new UsageError(`query ${JSON.stringify(text)} ${reason}`);
  const name: number[] = [];
  let label: number[] = [];
  const endLabel = () => {
    if (label.length === 0) throw fail("has an empty label; write one dot between labels");
    if (label.length > maximumLabelBytes) {
      throw fail(`has a label of ${label.length} bytes; at most ${maximumLabelBytes} are allowed`);
    }
    name.push(label.length, ...label);
    label = [];
  };
  for (let i = nameText === "." ? 1 : 0; i < nameText.length; i++) {
    const character = nameText[i]!;
    if (character === ".") {
      endLabel();
    } else if (character === "\\") {
      const escape = /^(?:(\d{3})|([!-/:-~]))/.exec(nameText.slice(i + 1));
      const byte = escape?.[1] === undefined
        ? escape?.[2]?.charCodeAt(0) ?? Infinity
        : Number(escape[1]);
      if (byte > 255) throw fail(`has a bad escape; write \\. or \\DDD with DDD from 000 to 255`);
      label.push(byte);
      i += escape![0].length;
    } else if (/[!-~]/.test(character)) {
      label.push(character.charCodeAt(0));
    } else {
      throw fail(
        `has the character ${JSON.stringify(character)} in its name; write international names ` +
          `in their xn-- form, and other bytes as \\DDD`,
      );
    }
  }
  if (label.length > 0) endLabel();
  name.push(0);
  if (name.length > maximumNameBytes) {
    throw fail(
      `has a name of ${name.length} bytes on the wire; at most ${maximumNameBytes} are allowed`,
    );
  }
  return Uint8Array.from(name);
}
