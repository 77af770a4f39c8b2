import { test } from "bun:test";
import assert from "node:assert/strict";
import { directoriesOf, parseGroups, parseMounts } from "../../lib/host/control_group.ts";
import { brokenTexts } from "./broken_text.ts";

const mountsOfVersion1 = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`;
const mountsOfVersion2 = `29 23 0:26 /user.slice /sys/fs/cgroup rw,nosuid shared:4 master:2 ` +
  `- cgroup2 cgroup2 rw,nsdelegate\n`;
const groups = `9:name=systemd:/
8:pids:/
4:memory:/service/0a1b
1:cpu,cpuacct:/
0::/user.slice/session-1.scope
`;

test("parseMounts() finds each controller, and version 2", () => {
  const mounts = parseMounts(mountsOfVersion1);
  assert.deepEqual(mounts.get("memory"), { mountPoint: "/sys/fs/cgroup/memory", root: "/" });
  assert.deepEqual(mounts.get("cpuacct")?.mountPoint, "/sys/fs/cgroup/cpu,cpuacct");
  assert.deepEqual(mounts.get("")?.mountPoint, "/sys/fs/cgroup/unified");
  assert.equal(mounts.get("pids"), undefined);
  assert.deepEqual(parseMounts(mountsOfVersion2).get(""), {
    mountPoint: "/sys/fs/cgroup",
    root: "/user.slice",
  });
});

test("parseGroups() finds the group of each controller", () => {
  const found = parseGroups(groups);
  assert.equal(found.get("memory"), "/service/0a1b");
  assert.equal(found.get("cpuacct"), "/");
  assert.equal(found.get(""), "/user.slice/session-1.scope");
});

test("directoriesOf() goes from the group up to the mount", () => {
  const memory = { mountPoint: "/sys/fs/cgroup/memory", root: "/" };
  assert.deepEqual(directoriesOf(memory, "/service/0a1b"), [
    "/sys/fs/cgroup/memory/service/0a1b",
    "/sys/fs/cgroup/memory/service",
    "/sys/fs/cgroup/memory",
  ]);
  assert.deepEqual(directoriesOf(memory, "/"), ["/sys/fs/cgroup/memory"]);
  const part = { mountPoint: "/sys/fs/cgroup", root: "/user.slice" };
  assert.deepEqual(directoriesOf(part, "/user.slice/a"), ["/sys/fs/cgroup/a", "/sys/fs/cgroup"]);
  assert.deepEqual(directoriesOf(part, "/user.slice"), ["/sys/fs/cgroup"]);
  // In a namespace of control groups: seen from inside, the group is above the mount.
  assert.deepEqual(directoriesOf(part, "/../other"), ["/sys/fs/cgroup"]);
});

test("the parsers of control groups take truncated and random text without error", () => {
  for (const whole of [mountsOfVersion1, mountsOfVersion2, groups]) {
    for (const text of brokenTexts(whole)) {
      const mounts = parseMounts(text);
      for (const mount of mounts.values()) {
        for (const group of [...parseGroups(text).values(), "/x/y"]) {
          const directories = directoriesOf(mount, group);
          assert.ok(directories.length > 0 && directories.length < 100, text);
        }
      }
    }
  }
});
