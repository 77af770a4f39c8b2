/** A value that a peer sent, for people: short, whatever it is. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "a dictionary";
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  return String(value);
}
