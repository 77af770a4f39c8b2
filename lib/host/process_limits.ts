import { contentOf, sysctlNumber } from "./kernel_file.ts";
import { capabilities, hasCapability } from "./privileges.ts";

/** How many processes and threads there may be; undefined: not known here. */
export interface ProcessReadings {
  /** RLIMIT_NPROC, for all threads of this user together; Infinity: unlimited. */
  readonly userLimit: number | undefined;
  readonly userHardLimit: number | undefined;
  /** That limit does not hold for this process (CAP_SYS_RESOURCE or CAP_SYS_ADMIN). */
  readonly isExempt: boolean;
  /** `kernel.threads-max`, for the host. */
  readonly threadsMax: number | undefined;
  /** Threads that the host has now. */
  readonly threads: number | undefined;
  /** Threads of this process, which other holdfast processes need as well. */
  readonly ownThreads: number | undefined;
  /** Memory of this process that no file backs. */
  readonly ownAnonymousBytes: number | undefined;
}

export function readProcessLimits(): ProcessReadings {
  const status = contentOf("/proc/self/status");
  const user = parseProcessLimit(contentOf("/proc/self/limits"));
  return {
    userLimit: user?.soft,
    userHardLimit: user?.hard,
    isExempt: hasCapability(capabilities.sysResource) || hasCapability(capabilities.sysAdmin),
    threadsMax: sysctlNumber("kernel.threads-max"),
    threads: parseThreadTotal(contentOf("/proc/loadavg")),
    ownThreads: parseOwnThreads(status),
    ownAnonymousBytes: parseAnonymous(status),
  };
}

/** The line `Max processes  96365  96365  processes` of `/proc/self/limits`. */
export function parseProcessLimit(text: string): { soft: number; hard: number } | undefined {
  const match = /^Max processes\s+(\d{1,18}|unlimited)\s+(\d{1,18}|unlimited)\s/m.exec(text);
  if (match === null) return undefined;
  const limit = (word: string) => word === "unlimited" ? Infinity : Number(word);
  return { soft: limit(match[1]!), hard: limit(match[2]!) };
}

/** The second half of `1/111` in `/proc/loadavg`: `0.47 0.76 0.62 1/111 14380`. */
export function parseThreadTotal(text: string): number | undefined {
  const match = /^[\d.]+ [\d.]+ [\d.]+ \d+\/(\d{1,9}) \d+\s*$/.exec(text);
  return match === null ? undefined : Number(match[1]);
}

/** The line `Threads: 9` of `/proc/self/status`. */
export function parseOwnThreads(text: string): number | undefined {
  const match = /^Threads:\s*(\d{1,9})$/m.exec(text);
  return match === null ? undefined : Number(match[1]);
}

/** Bytes of the line `RssAnon: 14400 kB` of `/proc/self/status`. */
export function parseAnonymous(text: string): number | undefined {
  const match = /^RssAnon:\s*(\d{1,12}) kB$/m.exec(text);
  return match === null ? undefined : Number(match[1]) * 1024;
}
