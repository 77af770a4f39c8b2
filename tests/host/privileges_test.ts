import { test } from "bun:test";
import assert from "node:assert/strict";
import process from "node:process";
import { capabilities, capabilityIn, hasCapability, isOfHost } from "../../lib/host/privileges.ts";
import { testWith } from "../programs.ts";
import { brokenTexts } from "./broken_text.ts";

const status = `Name:	bun
CapInh:	0000000000000000
CapEff:	000001fffeffffff
CapBnd:	000001ffffffffff
`;

test("capabilityIn() reads the effective ones, bit by bit", () => {
  assert.equal(capabilityIn(status, capabilities.sysAdmin), true);
  assert.equal(capabilityIn(status, capabilities.netAdmin), true);
  assert.equal(capabilityIn(status, capabilities.sysResource), false);
  assert.equal(capabilityIn("CapEff:\t0000000000000000\n", capabilities.sysAdmin), false);
  assert.equal(capabilityIn("", capabilities.sysAdmin), false);
});

test("isOfHost() tells the host's user namespace from others", () => {
  assert.equal(isOfHost("         0          0 4294967295\n"), true);
  assert.equal(isOfHost("         0       1000          1\n"), false);
  assert.equal(isOfHost(""), false);
});

test("the parsers of privileges take truncated and random text without error", () => {
  for (const text of brokenTexts(status)) {
    assert.equal(typeof capabilityIn(text, capabilities.sysAdmin), "boolean");
    isOfHost(text);
  }
});

testWith(process.getuid?.() === 0 ? ["setpriv"] : [])(
  "hasCapability() agrees with what was taken away",
  () => {
    if (process.getuid?.() !== 0) {
      assert.equal(hasCapability(capabilities.sysAdmin), false);
      return;
    }
    const module = JSON.stringify(
      new URL("../../lib/host/privileges.ts", import.meta.url).pathname,
    );
    const program = `const { hasCapability } = await import(${module});
      console.log(hasCapability(${capabilities.sysAdmin}), hasCapability(${capabilities.netAdmin}));`;
    const child = Bun.spawnSync([
      ...["setpriv", "--bounding-set=-sys_admin", process.execPath, "-e", program],
    ]);
    const [sysAdmin, netAdmin] = child.stdout.toString().trim().split(" ");
    assert.equal(sysAdmin, "false", child.stderr.toString());
    assert.equal(netAdmin, String(hasCapability(capabilities.netAdmin)));
  },
);
