import assert from "node:assert/strict";
import { exitCodes } from "../../lib/errors.ts";
import { testWith } from "../programs.ts";
import { testAvailability } from "../wamp/ha/ha_run.ts";

testWith(["haproxy"])(
  "kill -9 of one of four nodes: back in half a second, nothing lost",
  async () => {
    const { exitCode, io } = await testAvailability({
      scenario: "kill-node",
      ratePerSecond: 2,
      expectations: [
        "reconnect.p95<=500ms",
        "all-back<2s",
        "events.lost==0",
        "events.duplicated==0",
      ],
    });
    assert.equal(exitCode, exitCodes.ok, io.outLines.join("\n"));
  },
  60_000,
);

testWith(["haproxy"])(
  "a node that hangs is detected within 2 s, and gets its share of sessions again",
  async () => {
    const { exitCode, io } = await testAvailability({
      scenario: "freeze-node",
      rebalance: true,
      ratePerSecond: 2,
      expectations: [
        "detection<=2s",
        "marked-down<=2s",
        "events.lost==0",
        "events.duplicated==0",
        "events.out-of-order==0",
        "spread.difference<=1",
      ],
    });
    assert.equal(exitCode, exitCodes.ok, io.outLines.join("\n"));
  },
  90_000,
);

testWith(["haproxy"])(
  "half of the nodes die, and a rolling restart: sessions come back",
  async () => {
    for (const scenario of ["kill-half", "rolling-restart"]) {
      const { exitCode, io } = await testAvailability({
        scenario,
        ratePerSecond: 2,
        expectations: [
          "all-back<5s",
          "events.lost==0",
          "events.duplicated==0",
          "sessions.open==40",
        ],
      });
      assert.equal(exitCode, exitCodes.ok, io.outLines.join("\n"));
    }
  },
  120_000,
);

testWith(["haproxy"])(
  "a link that is cut and comes back costs no event",
  async () => {
    const { snapshot, io } = await testAvailability({ scenario: "cut-link", ratePerSecond: 2 });
    const [cut] = snapshot.steps;
    assert.equal(cut!.eventsLost, 0, io.outLines.join("\n"));
    assert.equal(snapshot.probe.events.duplicated, 0);
    assert.equal(snapshot.probe.sessions.lost, 0);
  },
  60_000,
);
