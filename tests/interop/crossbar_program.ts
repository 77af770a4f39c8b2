import { join } from "node:path";

/** Where `.ci/run` installs Crossbar, in an environment of its own. */
export const crossbar = join(import.meta.dir, "../../.venv-crossbar/bin/crossbar");
