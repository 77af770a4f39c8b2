import { test } from "bun:test";
import assert from "node:assert/strict";
import { parseExpectation } from "../../lib/stats/expectations.ts";
import { failureKinds } from "../../lib/stats/failure.ts";
import { adviceFor } from "../../lib/stats/failure_advice.ts";
import type {
  ClientSnapshot,
  ConnectionCounts,
  FailureCount,
  Verdict,
} from "../../lib/stats/snapshot.ts";
import { withoutAnswers, withoutConnections } from "../../lib/stats/stop_reason.ts";
import { judge } from "../../lib/stats/verdict.ts";
import { clientSnapshot, evenHistogram, messages } from "./sample_snapshots.ts";

const refused: FailureCount = {
  kind: "refused",
  count: 1_200,
  firstAtMs: 3,
  firstDetail: "ECONNREFUSED connect 10.0.0.5:4242",
};
const noFds: FailureCount = {
  kind: "host-fds",
  count: 7,
  firstAtMs: 9,
  firstDetail: "EMFILE connect 10.0.0.5:4242",
};

/** A run that has no connection at its end. */
function stopped(
  changes: Partial<ConnectionCounts>,
  others: Partial<ClientSnapshot> = {},
): ClientSnapshot {
  const { connections } = clientSnapshot();
  return clientSnapshot({
    connections: { ...connections, attempted: 1_207, opened: 0, open: 0, ...changes },
    ...others,
  });
}

function verdictOf(snapshot: ClientSnapshot, expectations: string[] = []): Verdict {
  return judge(snapshot, {
    expectations: expectations.map(parseExpectation),
    maxLatenessP99Ns: 10e6,
  });
}

test("withoutConnections() names who refused, how often, how, and what to do", () => {
  assert.deepEqual(withoutConnections(stopped({ failures: [refused, noFds] })), {
    reason: "No connection could be opened: 1,200 refused (ECONNREFUSED connect 10.0.0.5:4242), " +
      "7 host-fds (EMFILE connect 10.0.0.5:4242); " +
      "check that the server runs and that this is its port.",
    isOfHost: false,
  });
  const ofHost = withoutConnections(stopped({ failures: [noFds, { ...refused, count: 1 }] }));
  assert.equal(ofHost?.isOfHost, true);
  assert.match(ofHost.reason, /^No connection could be opened: 7 host-fds .*; raise the limit/);
});

test("withoutConnections() tells connections that never opened from those that ended", () => {
  const closed: FailureCount = { ...refused, kind: "closed-by-peer", firstDetail: "it hung up" };
  const all = withoutConnections(stopped({ opened: 1_207, lost: 1_207, failures: [closed] }));
  assert.match(all!.reason, /^Every connection ended before the run did: 1,200 closed-by-peer \(/);
  const some = withoutConnections(stopped({ opened: 1_000, lost: 1_000, failures: [closed] }));
  assert.match(
    some!.reason,
    /^No connection is left: 207 could not be opened, and 1,000 ended before the run did: /,
  );
  const counts = { attempted: 1_307, opened: 1_200, failed: 107, lost: 0, recycled: 1_200 };
  const recycled = withoutConnections(stopped({ ...counts, failures: [closed] }));
  assert.match(recycled!.reason, /^No connection is left: 107 could not be opened: 1,200 closed/);
  const unexplained = withoutConnections(stopped({ failures: [] }));
  assert.deepEqual(unexplained, { reason: "No connection could be opened.", isOfHost: false });
});

test("withoutConnections() finds nothing where one is open, and after an interruption", () => {
  assert.equal(withoutConnections(clientSnapshot()), undefined);
  assert.equal(withoutConnections(stopped({ open: 1, opened: 1, failures: [refused] })), undefined);
  assert.equal(withoutConnections(stopped({ attempted: 0 })), undefined);
  assert.equal(withoutConnections(stopped({}, { interrupted: true })), undefined);
});

test("withoutConnections() cuts a native error that is too long to read", () => {
  const long = { ...refused, firstDetail: "x".repeat(10_000) };
  assert.ok(withoutConnections(stopped({ failures: [long] }))!.reason.length < 400);
});

const lostAll = messages(50, {
  answered: 0,
  lost: { timeout: 48, closed: 0, corrupted: 0, unanswered: 2 },
});

test("withoutAnswers() tells silence from what is no answer and from what is late", () => {
  const { anomalies } = clientSnapshot();
  const silent = clientSnapshot({ messages: lostAll });
  assert.match(withoutAnswers(silent)!, /: 50 were sent, 50 were lost, and nothing came back; /);
  const other = clientSnapshot({ messages: lostAll, anomalies: { ...anomalies, corrupted: 49 } });
  assert.match(withoutAnswers(other)!, /49 times something else came than was sent; check that/);
  const late = clientSnapshot({ messages: lostAll, anomalies: { ...anomalies, late: 40 } });
  assert.match(withoutAnswers(late)!, /40 answers came too late; raise --timeout\.$/);
  const heldBack = messages(0, {
    due: 60,
    unsent: { noConnection: 0, heldBack: 60, generatorLate: 0 },
  });
  assert.match(
    withoutAnswers(clientSnapshot({ messages: heldBack }))!,
    /^No message could be sent: 60 were due, and the target took none of them; /,
  );
  assert.equal(withoutAnswers(clientSnapshot()), undefined);
  assert.equal(withoutAnswers(clientSnapshot({ messages: messages(0) })), undefined);
  assert.equal(withoutAnswers({ ...silent, interrupted: true }), undefined);
});

test("judge() calls a run that is left without connections stopped, whatever else is wrong", () => {
  const { histograms } = clientSnapshot();
  const late = { histograms: { ...histograms, lateness: evenHistogram(1_000, 0, 40) } };
  const verdict = verdictOf(stopped({ failures: [refused] }, late), ["lost==0"]);
  assert.equal(verdict.kind, "stopped-by-limit");
  assert.match(verdict.reasons[0]!, /^No connection could be opened/);
  assert.match(verdict.reasons[1]!, /^The generator was late/);
  assert.equal(verdict.expectations.length, 1);
  const ofHost = verdictOf(stopped({ failures: [noFds] }));
  assert.equal(ofHost.kind, "stopped-by-limit");
  assert.equal(ofHost.reasons.length, 1);
});

test("judge() calls a run without answers stopped, unless expectations decide", () => {
  const silent = clientSnapshot({ messages: lostAll, steady: lostAll });
  assert.equal(verdictOf(silent).kind, "stopped-by-limit");
  assert.match(verdictOf(silent).reasons[0]!, /^No message was answered/);
  assert.equal(verdictOf(silent, ["lost==50"]).kind, "ok");
  assert.equal(verdictOf(silent, ["lost==0"]).kind, "expectation-failed");
  assert.match(verdictOf(silent, ["lost==50"]).reasons[0]!, /^No message was answered/);
});

test("adviceFor() has something to do for every kind, and more for what TLS says", () => {
  for (const kind of failureKinds) {
    assert.match(adviceFor(kind, ""), /^[a-z].{10,}[^.]$/, kind);
  }
  const cases: [string, RegExp][] = [
    ["ERR_TLS_CERT_ALTNAME_INVALID: Host: x is not in the cert's altnames", /--servername/],
    ["SELF_SIGNED_CERT_IN_CHAIN: self signed certificate in certificate chain", /--ca.*--insecure/],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE: unable to verify the first certificate", /--ca/],
    ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unable to get local issuer certificate", /--ca/],
    ["CERT_HAS_EXPIRED: certificate has expired", /renew/],
    ["EPROTO: error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER", /not speak TLS/],
    ["EPROTO: SSL routines:OPENSSL_internal:TLSV1_ALERT_NO_APPLICATION_PROTOCOL", /--alpn/],
    ["EPROTO: SSL routines:OPENSSL_internal:TLSV1_CERTIFICATE_REQUIRED", /--cert and --key/],
    ["certificate: Hostname mismatch connect 127.0.0.1:4433", /--servername/],
    ["certificate: self signed certificate in certificate chain", /--ca.*--insecure/],
    ["QUIC CRYPTO_ERROR, TLS alert 120 (no application protocol)", /--alpn/],
    [
      "QUIC CRYPTO_ERROR, TLS alert 116 (peer did not provide a certificate)",
      /^the server asks.*--cert and --key/,
    ],
    ["QUIC CRYPTO_ERROR, TLS alert 48 (TLS alert 48)", /^the server refuses this client's/],
    ["EPROTO: SSL routines:OPENSSL_internal:TLSV1_ALERT_UNKNOWN_CA", /^the server refuses/],
    [
      "EPROTO: SSL routines:OPENSSL_internal:SSLV3_ALERT_CERTIFICATE_EXPIRED",
      /^the server refuses/,
    ],
  ];
  assert.match(adviceFor("closed-by-peer", "a close frame 1009 Received too big"), /--size/);
  assert.match(adviceFor("host-ports", "no source address and port is left"), /--source-ports/);
  for (const [detail, advice] of cases) assert.match(adviceFor("tls", detail), advice, detail);
});
