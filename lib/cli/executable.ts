/** The entry point of the compiled executable: the command line without the library around it. */
import { start } from "./start.ts";

await start();
