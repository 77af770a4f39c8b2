import { test } from "bun:test";
import assert from "node:assert/strict";
import { join } from "node:path";
import { gossipNodes, until } from "../p2p/network/gossip_nodes.ts";

const rounds = 20;
const nodes = 10;
const messages = 20;
const program = join(import.meta.dir, "..", "p2p", "network", "gossip_process.ts");

/** A process with a node, and what it has said last. */
class NodeProcess {
  peers = -1;
  received = 0;
  twice = 0;
  readonly refused: string[] = [];
  private readonly child: Bun.Subprocess<"pipe", "pipe", "inherit">;

  constructor(settings: unknown) {
    this.child = Bun.spawn(
      [process.execPath, program, JSON.stringify(settings), String(messages)],
      { stdin: "pipe", stdout: "pipe", stderr: "inherit" },
    );
    void this.listen();
  }

  publish(): void {
    this.child.stdin.write("go\n");
    void this.child.stdin.flush();
  }

  async end(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
  }

  private async listen(): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const bytes of this.child.stdout) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const [word, number = ""] = line.split(" ");
        if (word === "peers") this.peers = Number(number);
        if (word === "received") this.received = Number(number);
        if (word === "twice") this.twice++;
        if (word === "refused") this.refused.push(number);
      }
    }
  }
}

test(
  `${nodes} processes started at once, ${rounds} times: a full mesh, everything once`,
  async () => {
    for (let round = 0; round < rounds; round++) {
      const processes = gossipNodes(nodes).map(({ settings }) => new NodeProcess(settings));
      try {
        await until(
          `a full mesh in round ${round}`,
          () => processes.every(({ peers }) => peers === nodes - 1),
        );
        for (const each of processes) each.publish();
        const expected = (nodes - 1) * messages;
        await until(
          `everything everywhere in round ${round}`,
          () => processes.every(({ received }) => received === expected),
        );
        // Longer than a copy by way of the mesh, or by gossip of the next heartbeat, takes.
        await Bun.sleep(1_500);
        for (const each of processes) {
          assert.equal(each.received, expected);
          assert.equal(each.twice, 0);
          assert.deepEqual(each.refused, []);
        }
      } finally {
        await Promise.all(processes.map((each) => each.end()));
      }
    }
  },
  900_000,
);
