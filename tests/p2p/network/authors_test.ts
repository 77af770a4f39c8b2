import { test } from "bun:test";
import assert from "node:assert/strict";
import { Authors, type Forwarder, spareAuthors } from "../../../lib/p2p/network/authors.ts";

const ada = Uint8Array.of(1, 2, 3);
const bob = Uint8Array.of(1, 2, 4);

test("Authors encodes an id once", () => {
  const authors = new Authors();
  let encodings = 0;
  const encode = () => `peer ${++encodings}`;
  const first = authors.of(ada, encode);
  assert.equal(authors.of(ada.slice(), encode), first);
  assert.deepEqual([first.name, [...first.itself]], ["peer 1", ["peer 1"]]);
  assert.equal(authors.of(bob, encode).name, "peer 2");
  assert.equal(authors.find(ada), first);
  assert.equal(authors.find(Uint8Array.of(9)), undefined);
});

const topic = "news";

/** A router whose mesh is Ada, Carl, Dora and Emil, and what it forwards. */
function routerOf(authors: Authors, idontwants: Record<string, readonly string[]> = {}) {
  const calls: [string, string | undefined, string[]][] = [];
  const router: Forwarder = {
    mesh: new Map([[topic, new Set(["ada", "carl", "dora", "emil"])]]),
    idontwants: new Map(Object.entries(idontwants).map(([peer, ids]) => [peer, new Set(ids)])),
    forwardMessage: (id, _, from, except) => calls.push([id, from, [...except ?? []]]),
  };
  spareAuthors(router, authors);
  return { router, calls };
}

test("spareAuthors() forwards a message to everyone but its author", () => {
  const authors = new Authors();
  authors.of(ada, () => "ada");
  const { router, calls } = routerOf(authors);
  router.forwardMessage("1", { topic, from: ada }, "carl");
  router.forwardMessage("2", { topic, from: ada }, "carl", new Set(["dora"]));
  router.forwardMessage("3", { topic, from: bob }, "carl");
  router.forwardMessage("4", { topic }, undefined, new Set(["dora"]));
  assert.deepEqual(calls, [
    ["1", "carl", ["ada"]],
    ["2", "carl", ["dora", "ada"]],
    ["3", "carl", []],
    ["4", undefined, ["dora"]],
  ]);
});

test("spareAuthors() forwards nothing where the whole mesh has it", () => {
  const authors = new Authors();
  authors.of(ada, () => "ada");
  const { router, calls } = routerOf(authors, { carl: ["1"], dora: ["1", "2"], emil: ["1", "2"] });
  router.forwardMessage("1", { topic, from: ada }, "ada");
  router.forwardMessage("2", { topic, from: ada }, "carl");
  router.forwardMessage("2", { topic, from: ada }, "ada", new Set(["carl"]));
  router.forwardMessage("1", { topic: "gossip", from: ada }, "ada");
  assert.deepEqual(calls, []);
  router.forwardMessage("2", { topic, from: ada }, "ada");
  assert.deepEqual(calls, [["2", "ada", ["ada"]]]);
});
