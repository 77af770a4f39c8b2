import { test } from "bun:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import manifest from "../deno.json" with { type: "json" };

const root = join(import.meta.dir, "..");

/**
 * What the files of a folder may import besides their own folder and `errors.ts`. Subcommands never
 * import each other, and nothing imports `cli`.
 */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  options: [],
  stats: [],
  host: [],
  codec: ["options", "stats", "host"],
  transport: ["options", "stats", "host"],
  load: ["options", "stats", "host", "codec", "transport"],
  report: ["options", "stats", "host", "codec", "transport"],
  workers: [],
  server: ["options", "stats", "host", "codec", "transport", "load", "report", "workers"],
  client: ["options", "stats", "host", "codec", "transport", "load", "report", "workers"],
  doctor: ["options", "stats", "host", "transport", "report"],
  results: ["options", "stats", "host", "report"],
  p2p: ["options", "stats", "host", "codec", "transport", "load", "report", "workers"],
  wamp: ["options", "stats", "host", "codec", "transport", "load", "report", "workers"],
  cli: [
    ...["options", "stats", "host", "codec", "transport", "load", "report", "workers"],
    ...["server", "client", "doctor", "results", "p2p", "wamp"],
  ],
};

/** Types that every layer may name: how connections fail. */
const sharedTypes = "lib/stats/failure.ts";

/** The load engine knows transports by their contract alone. */
const transportContract = ["lib/transport/transport.ts", "lib/transport/endpoint.ts"];

/** Packages that contain types or the runtime, or are what tests talk to; not libraries. */
const toolPackages = ["bun", "bun-types", "@types/node", "autobahn", "wampy"];

interface Import {
  readonly specifier: string;
  readonly isTypeOnly: boolean;
}

interface SourceFile {
  /** Relative to the project. */
  readonly path: string;
  /** Folder below `lib`, or `errors`. */
  readonly folder: string;
  readonly imports: readonly Import[];
  /** Without types and comments. */
  readonly code: string;
}

/** The imports and re-exports of a module, static and dynamic, of values and of types. */
function importsOf(source: string): Import[] {
  const found: Import[] = [];
  const statement = /^(?:import|export)\s+(type\s+)?([^"';]*?)\bfrom\s*"([^"]+)"/gm;
  for (const [, typeKeyword, names = "", specifier = ""] of source.matchAll(statement)) {
    const listed = /^\{([^}]*)\}\s*$/.exec(names)?.[1]?.split(",").map((name) => name.trim())
      .filter((name) => name !== "");
    const areTypes = listed !== undefined && listed.length > 0 &&
      listed.every((name) => name.startsWith("type "));
    found.push({ specifier, isTypeOnly: typeKeyword !== undefined || areTypes });
  }
  const others = /^import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"|\bgetBuiltinModule\(\s*"([^"]+)"/gm;
  for (const [, bare, dynamic, builtin] of source.matchAll(others)) {
    found.push({ specifier: bare ?? dynamic ?? builtin ?? "", isTypeOnly: false });
  }
  return found;
}

const transpiler = new Bun.Transpiler({ loader: "ts", target: "bun" });

const files: readonly SourceFile[] = [...new Bun.Glob("lib/**/*.ts").scanSync(root)].sort()
  .map((path) => {
    const source = readFileSync(join(root, path), "utf8");
    const folder = path === "lib/errors.ts" ? "errors" : path.split("/")[1] ?? "";
    return { path, folder, imports: importsOf(source), code: transpiler.transformSync(source) };
  });

const isRelative = (specifier: string) => specifier.startsWith(".");

/** Where a relative import leads, from the project's root. */
const targetOf = (file: SourceFile, specifier: string) =>
  normalize(join(dirname(file.path), specifier)).replaceAll("\\", "/");

/** The package of a bare specifier: `hono` of `hono/cors`. */
const packageOf = (specifier: string) =>
  specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");

/** The imports that break a rule, as `file imports what`. */
function violations(breaks: (file: SourceFile, imported: Import) => boolean): string[] {
  return files.flatMap((file) =>
    file.imports.filter((imported) => breaks(file, imported))
      .map(({ specifier }) => `${file.path} imports ${specifier}`)
  );
}

test("importsOf() finds every form of import", () => {
  const source = `import a from "a";
import type { B } from "b";
import { type C, type D } from "c";
import { type E, f } from "d";
import {
  g,
  type H,
} from "e";
export * from "f";
export type { I } from "g";
import "h";
const i = await import("i");
const j = process.getBuiltinModule("node:j");
/** import { k } from "k"; */
`;
  assert.deepEqual(
    importsOf(source).map(({ specifier, isTypeOnly }) =>
      `${specifier}${isTypeOnly ? " type" : ""}`
    ),
    ["a", "b type", "c type", "d", "e", "f", "g type", "h", "i", "node:j"],
  );
});

test("every folder of lib has a layer", () => {
  assert.ok(files.length > 20, `only ${files.length} files were found`);
  assert.deepEqual(
    [...new Set(files.map(({ folder }) => folder))].filter((folder) => !(folder in mayImport)),
    [],
  );
});

test("imports go downward only", () => {
  const broken = violations((file, { specifier, isTypeOnly }) => {
    if (!isRelative(specifier)) return false;
    const target = targetOf(file, specifier);
    if (target === "lib/errors.ts" || target.startsWith(`lib/${file.folder}/`)) return false;
    if (target === sharedTypes && isTypeOnly) return false;
    if (!target.startsWith("lib/")) return file.folder !== "cli";
    return !mayImport[file.folder]?.includes(target.split("/")[1] ?? "");
  });
  assert.deepEqual(broken, []);
});

test("imports lead to files that exist", () => {
  const known = new Set(files.map(({ path }) => path));
  const broken = violations((file, { specifier }) => {
    const target = targetOf(file, specifier);
    return isRelative(specifier) && target.startsWith("lib/") && target.endsWith(".ts") &&
      !known.has(target);
  });
  assert.deepEqual(broken, []);
});

test("load reaches transports through their contract only", () => {
  const broken = violations((file, { specifier }) => {
    const target = targetOf(file, specifier);
    return file.folder === "load" && isRelative(specifier) &&
      target.startsWith("lib/transport/") && !transportContract.includes(target);
  });
  assert.deepEqual(broken, []);
});

test("every library is in the manifest and imported in one file", () => {
  const vendors = Object.keys(manifest.imports).filter((name) => !toolPackages.includes(name));
  const importers = new Map<string, Set<string>>(vendors.map((name) => [name, new Set()]));
  const unknown = violations((file, { specifier }) => {
    if (isRelative(specifier) || /^(node:|bun:|bun$)/.test(specifier)) return false;
    importers.get(packageOf(specifier))?.add(file.path);
    return !vendors.includes(packageOf(specifier));
  });
  assert.deepEqual(unknown, []);
  for (const [name, paths] of importers) {
    assert.equal(paths.size, 1, `${name} is imported in: ${[...paths].join(", ") || "no file"}`);
  }
});

test("only lib/host/libc.ts calls C", () => {
  const users = files.filter(({ code }) => code.includes("bun:ffi")).map(({ path }) => path);
  assert.deepEqual(users, ["lib/host/libc.ts"]);
});

test("only one file uses node:quic", () => {
  const users = files.filter(({ code }) => code.includes("node:quic")).map(({ path }) => path);
  assert.deepEqual(users, ["lib/transport/quic_native.ts"]);
});

test("only lib/cli touches arguments, environment, streams, signals and exit", () => {
  const own =
    /\bconsole\.|\bprocess(?:\.|\[")(?:exit|exitCode|argv|env|on|once|addListener|stdin|stdout|stderr)\b|\bBun\.(?:argv|env|stdin|stdout|stderr)\b|\bDeno\.|\bimport\.meta\.(?:main|env)\b/g;
  const broken = files.filter(({ folder }) => folder !== "cli").flatMap(({ path, code }) =>
    [...code.matchAll(own)].map(([use]) => `${path} uses ${use}`)
  );
  assert.deepEqual(broken, []);
  // Named imports would get past the search for `process.`.
  const named = files.filter(({ folder, code }) =>
    folder !== "cli" && /import\s*\{[^}]*\}\s*from\s*"(?:node:)?process"/.test(code)
  );
  assert.deepEqual(named.map(({ path }) => path), []);
});

test("nothing but the files at the top imports the command line", () => {
  const top = ["mod.ts", "server.ts", "client.ts"];
  for (const path of top) {
    const imports = importsOf(readFileSync(join(root, path), "utf8"));
    assert.ok(imports.some(({ specifier }) => specifier === "./lib/cli/start.ts"), path);
  }
});
