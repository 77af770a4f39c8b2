import { afterAll } from "bun:test";
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../../../lib/transport/certificates.ts";
import { isAnswer, SigningKey } from "../../../lib/wamp/cryptosign/cryptosign.ts";
import { pythonWith, testWith } from "../../programs.ts";
import { type LocalRouter, until, withRouter } from "./local_router.ts";

const script = join(import.meta.dir, "autobahn_client.py");
const seed = "01".repeat(32);

const certificate = await makeCertificate({ names: ["localhost"], addresses: ["127.0.0.1"] });
const folder = mkdtempSync(join(tmpdir(), "holdfast-python-"));
const authorityFile = join(folder, "ca.pem");
writeFileSync(authorityFile, certificate.ca);
afterAll(() => rmSync(folder, { recursive: true }));

/** A process with autobahn-python. */
class PythonClient {
  readonly name: string;
  readonly lines: unknown[][] = [];
  readonly #process;

  constructor(name: string, url: string, serializer: string, ...rest: string[]) {
    this.name = name;
    const command = [pythonWith("autobahn"), script, url, serializer, name, ...rest];
    this.#process = Bun.spawn(command, {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
      env: { ...process.env, AUTHORITY: authorityFile },
    });
    void this.#read();
  }

  async #read(): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of this.#process.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.lines.push(JSON.parse(line));
    }
  }

  say(...line: unknown[]): void {
    this.#process.stdin.write(`${JSON.stringify(line)}\n`);
    this.#process.stdin.flush();
  }

  /** The first line of that kind, which is taken out. */
  async next(kind: string): Promise<unknown[]> {
    await until(() => this.lines.some(([first]) => first === kind), 20_000);
    const index = this.lines.findIndex(([first]) => first === kind);
    return this.lines.splice(index, 1)[0]!;
  }

  /** Leaves the realm, as a client should. */
  async end(): Promise<void> {
    this.#process.stdin.end();
    assert.equal(await this.#process.exited, 0);
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }
}

async function withClients(
  start: (local: LocalRouter) => PythonClient[],
  use: (clients: readonly PythonClient[]) => Promise<void>,
): Promise<void> {
  const realm = {
    principals: [{ authid: "joe", publicKey: joe.publicKey, roles: ["anonymous"] }],
  };
  await withRouter(
    async (local) => {
      const clients = start(local);
      try {
        for (const client of clients) await client.next("joined");
        await use(clients);
        for (const client of clients) {
          await client.end();
          assert.deepEqual(await client.next("left"), ["left", "wamp.close.goodbye_and_out"]);
        }
        assert.deepEqual(local.notes, []);
      } finally {
        for (const client of clients) client.kill();
      }
    },
    realm,
    { certificate },
  );
}

const joe = new SigningKey(Buffer.from(seed, "hex"));

testWith(["autobahn"])(
  "autobahn-python publishes, subscribes, calls and registers over every transport and serializer",
  async () => {
    await withClients(({ ws, rs, wss, rss }) => [
      new PythonClient("a", ws, "json"),
      new PythonClient("b", ws, "msgpack"),
      new PythonClient("c", ws, "cbor", seed),
      new PythonClient("d", ws, "msgpack.batched"),
      new PythonClient("e", ws, "cbor.batched"),
      new PythonClient("f", rs, "json"),
      new PythonClient("g", rs, "msgpack"),
      new PythonClient("h", rs, "cbor"),
      new PythonClient("i", wss, "cbor", seed),
      new PythonClient("j", rss, "msgpack"),
    ], async (clients) => {
      const args = ["ü", 2 ** 40, -(2 ** 40), 1.5, null, { bytes: "00ff80" }, [{ k: true }]];
      for (const publisher of clients) {
        publisher.say("publish", [publisher.name, ...args]);
        const [, publication] = await publisher.next("published");
        for (const subscriber of clients) {
          assert.deepEqual(await subscriber.next("event"), [
            "event",
            [publisher.name, ...args],
            {},
            publication,
          ]);
        }
      }
      for (const caller of clients) {
        for (const { name } of clients) {
          caller.say("call", `com.python.${name}`, args);
          assert.deepEqual(await caller.next("result"), ["result", [name, args, {}]]);
        }
        caller.say("call", "com.python.a", ["fail"]);
        assert.deepEqual(await caller.next("error"), [
          "error",
          "com.python.failed",
          ["as asked"],
          { code: 7 },
        ]);
        caller.say("call", "com.nobody", []);
        const [, error] = await caller.next("error");
        assert.equal(error, "wamp.error.no_such_procedure");
      }
    });
  },
  60_000,
);

interface SignatureVector {
  readonly channel_id: string | null;
  readonly private_key: string;
  readonly challenge: string;
  readonly signature: string;
}

testWith(["autobahn"])(
  "SigningKey.answer() gives the signatures of the specification's vectors",
  () => {
    // The package has those of the specification, section "Cryptosign-based Authentication", among its
    // own tests.
    const program = "import json; " +
      "from autobahn.wamp.test.test_wamp_cryptosign import test_vectors_1; " +
      "print(json.dumps(test_vectors_1))";
    const { stdout } = Bun.spawnSync([pythonWith("autobahn"), "-c", program], {
      env: { ...process.env, USE_ASYNCIO: "1" },
      stderr: "inherit",
    });
    const vectors = JSON.parse(stdout.toString()) as SignatureVector[];
    assert.ok(vectors.length >= 6, `only ${vectors.length} vectors were found`);
    for (const { channel_id, private_key, challenge, signature } of vectors) {
      const key = new SigningKey(Buffer.from(private_key, "hex"));
      const channelId = channel_id === null ? undefined : Buffer.from(channel_id, "hex");
      assert.equal(key.answer(challenge, channelId), signature);
      if (channel_id === null) assert.ok(isAnswer(key.publicKey, challenge, signature));
    }
  },
);
