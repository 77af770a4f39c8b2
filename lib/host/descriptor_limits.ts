import { contentOf, parseWholes, sysctlNumber } from "./kernel_file.ts";
import { fdLimits, openFds, setFdLimits } from "./libc.ts";
import { capabilities, hasCapability } from "./privileges.ts";

/** Files that may be open, for each process and for the host. */
export interface DescriptorReadings {
  /** RLIMIT_NOFILE of this process; Infinity: unlimited, or not known. */
  readonly soft: number;
  readonly hard: number;
  /** As far as this process may raise it: the hard limit, or `nrOpen` where it is privileged. */
  readonly reachable: number;
  /** Open now in this process; -1: not known. */
  readonly open: number;
  /** `fs.nr_open`: no process's limit can be higher. */
  readonly nrOpen: number | undefined;
  /** `fs.file-max`, for all processes together. */
  readonly fileMax: number | undefined;
  /** How many the host has open: the first number of `fs.file-nr`. */
  readonly filesOpen: number | undefined;
  /** `fs.epoll.max_user_watches`: descriptors that all event loops of a user watch: epoll(7). */
  readonly maxUserWatches: number | undefined;
  /** `file-max` does not hold for this process (CAP_SYS_ADMIN). */
  readonly isExemptFromFileMax: boolean;
}

export function readDescriptorLimits(): DescriptorReadings {
  const { soft, hard } = fdLimits();
  const nrOpen = sysctlNumber("fs.nr_open");
  return {
    soft,
    hard,
    reachable: reachableLimit(soft, hard, nrOpen),
    open: openFds(),
    nrOpen,
    fileMax: sysctlNumber("fs.file-max"),
    filesOpen: parseWholes(contentOf("/proc/sys/fs/file-nr"), 3)?.[0],
    maxUserWatches: sysctlNumber("fs.epoll.max_user_watches"),
    isExemptFromFileMax: hasCapability(capabilities.sysAdmin),
  };
}

/** By trying, on this process, and putting it back: containers answer in ways of their own. */
function reachableLimit(soft: number, hard: number, nrOpen: number | undefined): number {
  if (nrOpen === undefined || hard >= nrOpen) return hard;
  if (!setFdLimits({ soft, hard: nrOpen })) return hard;
  setFdLimits({ soft, hard });
  return nrOpen;
}
