import { posix } from "node:path";
import { contentOf, parseWhole } from "./kernel_file.ts";

/** A limit of a control group, which a container or a service manager has set. */
export interface GroupLimit {
  readonly limit: number;
  readonly used: number;
  /** `limit - used`, at least 0. */
  readonly free: number;
  /** The file that sets it. */
  readonly path: string;
}

/** What the control groups of this process allow; undefined: no limit, or none that is known. */
export interface ControlGroupReadings {
  /** Bytes, kernel memory of sockets included. What can be reclaimed of files is not counted. */
  readonly memory: GroupLimit | undefined;
  /** Processes and threads. */
  readonly pids: GroupLimit | undefined;
}

interface LimitFiles {
  readonly controller: string;
  readonly limit: string;
  readonly used: string;
}

/** By version: Documentation/admin-guide/cgroup-v1/memory.rst, pids.rst and cgroup-v2.rst. */
const memoryFiles: Readonly<Record<1 | 2, LimitFiles>> = {
  1: { controller: "memory", limit: "memory.limit_in_bytes", used: "memory.usage_in_bytes" },
  2: { controller: "", limit: "memory.max", used: "memory.current" },
};
const pidsFiles: Readonly<Record<1 | 2, LimitFiles>> = {
  1: { controller: "pids", limit: "pids.max", used: "pids.current" },
  2: { controller: "", limit: "pids.max", used: "pids.current" },
};

/** Version 1 writes "unlimited" as the largest multiple of a page. */
const unlimitedFrom = 2 ** 62;

/** Reads the groups that this process is in and all above them; the tightest limit counts. */
export function readControlGroup(): ControlGroupReadings {
  const places = parseMounts(contentOf("/proc/self/mountinfo"));
  const groups = parseGroups(contentOf("/proc/self/cgroup"));
  return {
    memory: tightest([memoryFiles[1], memoryFiles[2]], places, groups),
    pids: tightest([pidsFiles[1], pidsFiles[2]], places, groups),
  };
}

function tightest(
  versions: readonly LimitFiles[],
  places: ReadonlyMap<string, GroupMount>,
  groups: ReadonlyMap<string, string>,
): GroupLimit | undefined {
  let least: GroupLimit | undefined;
  for (const files of versions) {
    const place = places.get(files.controller);
    const group = groups.get(files.controller);
    if (place === undefined || group === undefined) continue;
    for (const directory of directoriesOf(place, group)) {
      const path = posix.join(directory, files.limit);
      const limit = parseWhole(contentOf(path));
      const used = parseWhole(contentOf(posix.join(directory, files.used)));
      if (limit === undefined || used === undefined || limit >= unlimitedFrom) continue;
      const kept = files.limit.startsWith("memory") ? used - reclaimableBytes(directory) : used;
      const free = Math.max(0, limit - Math.max(0, kept));
      if (least === undefined || free < least.free) least = { limit, used: kept, free, path };
    }
  }
  return least;
}

/** Pages of files that nobody has used lately go before anything fails. */
function reclaimableBytes(directory: string): number {
  const text = contentOf(posix.join(directory, "memory.stat"));
  const match = /^(?:total_inactive_file|inactive_file) (\d{1,18})$/m.exec(text);
  return match === null ? 0 : Number(match[1]);
}

/** Where a hierarchy is mounted, and which of its groups that place shows. */
export interface GroupMount {
  readonly mountPoint: string;
  readonly root: string;
}

/**
 * The mounts of control groups in `/proc/self/mountinfo` by controller; "" is version 2:
 * `32 31 0:29 <root> <mount point> rw - cgroup cgroup rw,memory` (proc(5)).
 */
export function parseMounts(text: string): Map<string, GroupMount> {
  const mounts = new Map<string, GroupMount>();
  const line = /^\d+ \d+ \d+:\d+ (\/\S*) (\/\S*) .*? - (cgroup2?) \S+ (\S+)$/gm;
  for (const [, root = "", mountPoint = "", type, options = ""] of text.matchAll(line)) {
    const mount = { mountPoint, root };
    if (type === "cgroup2") mounts.set("", mount);
    else for (const controller of options.split(",")) mounts.set(controller, mount);
  }
  return mounts;
}

/** The groups of `/proc/self/cgroup` by controller; "" is version 2: `4:memory:/a/group`. */
export function parseGroups(text: string): Map<string, string> {
  const groups = new Map<string, string>();
  for (const [, controllers = "", path = ""] of text.matchAll(/^\d+:([^:\n]*):(\/[^\n]*)$/gm)) {
    for (const controller of controllers.split(",")) groups.set(controller, path);
  }
  return groups;
}

/** The directory of a group and those above it, as far as they can be seen. */
export function directoriesOf({ mountPoint, root }: GroupMount, group: string): string[] {
  const below = root === "/"
    ? group
    : `${group}/`.startsWith(`${root}/`)
    ? group.slice(root.length)
    : "/"; // a group that this mount does not show: a namespace, whose top it shows
  const directories: string[] = [];
  for (let path = posix.join(mountPoint, below);; path = posix.dirname(path)) {
    directories.push(path.length > 1 ? path.replace(/\/$/, "") : path);
    if (path === "/" || directories.at(-1) === mountPoint) return directories;
  }
}
