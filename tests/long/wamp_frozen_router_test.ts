import { test } from "bun:test";
import { freezeAndThaw } from "../wamp/router/frozen_router.ts";

test(
  "a router that stood still until it lost its links gives its clients what they missed, once",
  () => freezeAndThaw(4500),
  60_000,
);
