/** `holdfast client` from source. */
import { start } from "./lib/cli/start.ts";

await start("client");
