import { test } from "bun:test";
import assert from "node:assert/strict";
import { requireDescriptors } from "../../lib/client/descriptors.ts";
import { clientRows, type ClientSettings } from "../../lib/client/options.ts";
import { HostLimitError } from "../../lib/errors.ts";
import { fdLimits } from "../../lib/host/libc.ts";
import { defaultSettings } from "../../lib/options/command_line.ts";
import { schemes } from "../../lib/transport/endpoint.ts";

/** More than any system lets a process have. */
const absurd = 2 ** 31 - 1;

function settings(changes: Partial<ClientSettings>): ClientSettings {
  return { ...defaultSettings(clientRows), ...changes };
}

test("requireDescriptors() wants one for each connection, and says what raises the limit", () => {
  for (const scheme of schemes) {
    const impossible = settings({ connections: absurd, connectionsPerSocket: 1 });
    assert.throws(() => requireDescriptors(scheme, impossible), (error) => {
      assert.ok(error instanceof HostLimitError);
      assert.match(error.message, /^2147483647 connections take \d+ file descriptors/);
      assert.match(error.message, /ulimit -n \d+/);
      return true;
    });
    requireDescriptors(scheme, settings({ connections: 10 }));
  }
});

test("requireDescriptors() counts the sockets that QUIC connections share", () => {
  const { soft } = fdLimits();
  const connections = Math.min(10 * soft, absurd);
  requireDescriptors("quic", settings({ connections, connectionsPerSocket: 32 }));
  assert.equal(fdLimits().soft, soft, "nothing had to be raised");
  // The option has no meaning elsewhere.
  const shared = settings({ connections: absurd, connectionsPerSocket: absurd });
  requireDescriptors("quic", shared);
  assert.throws(() => requireDescriptors("tcp", shared), HostLimitError);
});
