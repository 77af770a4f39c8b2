/** Whether a value is or contains a `bigint`. */
export function hasBigint(value: unknown): boolean {
  if (typeof value === "bigint") return true;
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  if (Array.isArray(value)) return value.some(hasBigint);
  for (const key in value) {
    if (hasBigint((value as Record<string, unknown>)[key])) return true;
  }
  return false;
}

/** The value with every integer of more than 32 bits as a `bigint`. */
export function withBigints(value: unknown): unknown {
  if (typeof value === "number") {
    return Number.isSafeInteger(value) && Math.abs(value) >= 2 ** 31 ? BigInt(value) : value;
  }
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) return value.map(withBigints);
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, withBigints(member)]),
  );
}

/** The value with every `bigint` that a number can hold as a number; lists and objects are changed. */
export function withoutSmallBigints(value: unknown): unknown {
  if (typeof value === "bigint") {
    return value <= 9007199254740992n && value >= -9007199254740992n ? Number(value) : value;
  }
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const member: unknown = value[index];
      const other = withoutSmallBigints(member);
      if (other !== member) value[index] = other;
    }
    return value;
  }
  const members = value as Record<string, unknown>;
  for (const key in members) {
    const member = members[key];
    const other = withoutSmallBigints(member);
    if (other !== member) members[key] = other;
  }
  return value;
}
