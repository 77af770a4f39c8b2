import { test } from "bun:test";
import { freezeAndThaw } from "./frozen_router.ts";

test(
  "a router that stood still publishes for clients that stayed, and not for those that have gone",
  () => freezeAndThaw(1000),
  60_000,
);
