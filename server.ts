/** `holdfast server` from source. */
import { start } from "./lib/cli/start.ts";

await start("server");
