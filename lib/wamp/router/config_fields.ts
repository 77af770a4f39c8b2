import { FileError } from "../../errors.ts";

/** An object of a configuration, whose members are read one by one; what is left over is an error. */
export class ConfigObject {
  readonly #where: string;
  readonly #members: Readonly<Record<string, unknown>>;
  readonly #read = new Set<string>();

  /** @throws {FileError} the value is no object. */
  constructor(value: unknown, where: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new FileError(`${where} is ${show(value)}; an object was expected`);
    }
    this.#where = where;
    this.#members = value as Record<string, unknown>;
  }

  /** @throws {FileError} it is there and no text, or `parse` refuses it. */
  text<T = string>(name: string, parse?: (text: string) => T): T | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (typeof value !== "string") throw this.#wrong(name, value, "a text");
    return parsed(value, parse, `${this.#where}.${name}`);
  }

  requiredText<T = string>(name: string, parse?: (text: string) => T): T {
    const value = this.text(name, parse);
    if (value === undefined) throw this.#wrong(name, value, "a text");
    return value;
  }

  texts<T = string>(name: string, parse?: (text: string) => T): readonly T[] | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || !value.every((one) => typeof one === "string")) {
      throw this.#wrong(name, value, "a list of texts");
    }
    return value.map((one, index) => parsed(one, parse, `${this.#where}.${name}[${index}]`));
  }

  boolean(name: string): boolean | undefined {
    const value = this.#take(name);
    if (value !== undefined && typeof value !== "boolean") {
      throw this.#wrong(name, value, "true or false");
    }
    return value;
  }

  object<T>(name: string, read: (object: ConfigObject) => T): T | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    return readAll(new ConfigObject(value, `${this.#where}.${name}`), read);
  }

  objects<T>(name: string, read: (object: ConfigObject) => T): readonly T[] | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) throw this.#wrong(name, value, "a list");
    return value.map((one, index) =>
      readAll(new ConfigObject(one, `${this.#where}.${name}[${index}]`), read)
    );
  }

  /** Whether it is there, and null. */
  isNull(name: string): boolean {
    if (this.#members[name] !== null) return false;
    this.#read.add(name);
    return true;
  }

  /** @throws {FileError} there is a member that nothing has read. */
  requireNothingElse(): void {
    for (const name of Object.keys(this.#members)) {
      if (this.#read.has(name)) continue;
      const known = [...this.#read].join(", ");
      throw new FileError(`${this.#where} has the unknown member "${name}"; it may have ${known}`);
    }
  }

  #take(name: string): unknown {
    this.#read.add(name);
    return this.#members[name];
  }

  #wrong(name: string, value: unknown, expected: string): FileError {
    return new FileError(`${this.#where}.${name} is ${show(value)}; ${expected} was expected`);
  }
}

/** Reads an object whole. */
export function readAll<T>(object: ConfigObject, read: (object: ConfigObject) => T): T {
  const value = read(object);
  object.requireNothingElse();
  return value;
}

function parsed<T>(text: string, parse: ((text: string) => T) | undefined, where: string): T {
  if (parse === undefined) return text as T;
  try {
    return parse(text);
  } catch (cause) {
    throw new FileError(`${where}: ${(cause as Error).message}`, { cause });
  }
}

function show(value: unknown): string {
  return value === undefined ? "missing" : (JSON.stringify(value) ?? String(value)).slice(0, 60);
}
