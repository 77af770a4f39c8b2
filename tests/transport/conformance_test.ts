import { tcp } from "../../lib/transport/tcp.ts";
import { testConformance } from "./conformance_suite.ts";

testConformance({
  name: "tcp",
  transport: tcp,
  file: "tcp.ts",
  carrier: "tcp",
  refusedKinds: ["refused"],
  resetKinds: ["reset"],
});
