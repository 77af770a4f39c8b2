/** How deep values may be nested: beyond it, a peer's decoder could run out of stack. */
export const maxDepth = 256;

const textPrefix = "\0";

/**
 * A value as JSON carries it: bytes as a string of NUL and base64 (specification, section "Binary
 * support in JSON"), integers beyond 2^53 as digits. What has no such form at all becomes the nearest:
 * dates are text, sets lists. The value itself where nothing has to change.
 */
export function toJsonValue(value: unknown, depth = 0): unknown {
  if (typeof value === "bigint") return rawJson(String(value));
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return textPrefix + toBase64(value);
  return mapped(value, depth, toJsonValue);
}

/** A value as MessagePack and CBOR carry it: only what every decoder of them knows. */
export function toBinaryValue(value: unknown, depth = 0): unknown {
  if (value === undefined) return null;
  if (typeof value === "bigint") return fitting(value);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  return mapped(value, depth, toBinaryValue);
}

/** A value that came in JSON, with strings of NUL and base64 as the bytes that they stand for. */
export function fromJsonValue(value: unknown, depth = 0): unknown {
  if (typeof value === "string") {
    return value.startsWith(textPrefix) ? fromBase64(value.slice(1)) : value;
  }
  if (typeof value !== "object" || value === null) return value;
  return mapped(value, depth, fromJsonValue);
}

function mapped(
  value: object,
  depth: number,
  map: (value: unknown, depth: number) => unknown,
): unknown {
  if (depth >= maxDepth) throw new RangeError(`values are nested more than ${maxDepth} deep`);
  if (Array.isArray(value)) return mappedList(value, depth, map);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Set) return mappedList([...value], depth, map);
  if (value instanceof Map) {
    return mapped(Object.fromEntries([...value].map(([k, v]) => [String(k), v])), depth, map);
  }
  if (ArrayBuffer.isView(value)) {
    return map(new Uint8Array(value.buffer, value.byteOffset, value.byteLength), depth);
  }
  let changed: Record<string, unknown> | undefined;
  for (const [key, member] of Object.entries(value)) {
    const other = map(member, depth + 1);
    if (other === member) continue;
    changed ??= { ...value };
    changed[key] = other;
  }
  return changed ?? value;
}

function mappedList(
  list: readonly unknown[],
  depth: number,
  map: (value: unknown, depth: number) => unknown,
): readonly unknown[] {
  let changed: unknown[] | undefined;
  for (let index = 0; index < list.length; index++) {
    const other = map(list[index], depth + 1);
    if (changed === undefined && other !== list[index]) changed = list.slice(0, index);
    changed?.push(other);
  }
  return changed ?? list;
}

/** 64 bits are what MessagePack has; larger ones become the nearest number. */
function fitting(value: bigint): bigint | number {
  return value >= -(2n ** 63n) && value < 2n ** 64n ? value : Number(value);
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

function fromBase64(text: string): Uint8Array {
  // A plain Uint8Array, as the decoders of the other serializers give.
  const bytes = Buffer.from(text, "base64");
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const json = JSON as typeof JSON & { rawJSON(text: string): unknown };

/** A member that `JSON.stringify` copies as it is. */
function rawJson(text: string): unknown {
  return json.rawJSON(text);
}
