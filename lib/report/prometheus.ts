import { failureKinds } from "../stats/failure.ts";
import type {
  ClientSnapshot,
  FailureCount,
  MessageCounts,
  Phase,
  ProcessUsage,
  ServerCounts,
  ServerSnapshot,
  Snapshot,
  WorkerState,
} from "../stats/snapshot.ts";
import { Exposition, type Labels, type Sample } from "./exposition.ts";

const phases: readonly Phase[] = ["ramp", "warmup", "steady", "drain", "done"];

/**
 * A snapshot in the text format of Prometheus. All names begin with `holdfast_client_` or
 * `holdfast_server_`; times are in seconds. Times come as a histogram, which a server can add up
 * over several clients, and as a gauge with the percentiles of this one, which it cannot.
 *
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4).
 */
export function prometheusText(snapshot: Snapshot): string {
  const text = new Exposition(`holdfast_${snapshot.role}_`);
  const { version, startedAt, labels } = snapshot.run;
  const about = snapshot.role === "client"
    ? { endpoint: snapshot.endpoint, codec: snapshot.codec, arrivals: snapshot.arrivals }
    : {};
  // The run's own labels get a prefix, so that they cannot collide with ours.
  const own = Object.fromEntries(
    Object.entries(labels).map(([key, value]) => [labelName(key), value]),
  );
  text.gauge("info", "What runs; always 1", [[{ version, ...about, ...own }, 1]]);
  text.gauge("start_time_seconds", "Start of the run since the epoch", [[
    {},
    Date.parse(startedAt) / 1000,
  ]]);
  text.gauge("elapsed_seconds", "Time since the start of the run", [[
    {},
    snapshot.elapsedMs / 1000,
  ]]);
  if (snapshot.role === "client") client(text, snapshot);
  else server(text, snapshot);
  if (snapshot.workers !== undefined) workers(text, snapshot.workers);
  return text.toString();
}

function workers(text: Exposition, states: readonly WorkerState[]): void {
  const each = (value: (state: WorkerState) => number): [Labels, number][] =>
    states.map((state) => [{ worker: String(state.number) }, value(state)]);
  text.gauge(
    "worker_connections_open",
    "Open connections of each worker",
    each(({ open }) => open),
  );
  text.total(
    "worker_cpu_seconds",
    "CPU time of each worker",
    each(({ cpuSeconds }) => cpuSeconds),
  );
  text.total(
    "worker_ends",
    "Times that each worker ended before it was asked to",
    each(({ ends }) => ends.length),
  );
}

function client(text: Exposition, snapshot: ClientSnapshot): void {
  const { connections, messages, anomalies, bytes, histograms, generator } = snapshot;
  text.gauge(
    "phase",
    "1 for the phase that the run is in",
    phases.map((phase) => [{ phase }, phase === snapshot.phase ? 1 : 0]),
  );
  text.gauge("connections_requested", "Connections to be held", [[{}, connections.requested]]);
  text.gauge("connections_open", "Connections open now", [[{}, connections.open]]);
  text.total("connections_attempted", "Connections attempted", [[{}, connections.attempted]]);
  text.total("connections_opened", "Connections that were opened", [[{}, connections.opened]]);
  text.total("connections_failed", "Connections that never opened", [[{}, connections.failed]]);
  text.total("connections_lost", "Connections that ended unasked", [[{}, connections.lost]]);
  upkeep(text, snapshot);
  ramp(text, snapshot);
  failures(text, "connection_failures", connections.failures);
  messageCounters(text, messages);
  text.total(
    "anomalies",
    "Answers that a correct peer and path would not have sent",
    Object.entries(anomalies).map(([kind, count]) => [{ kind }, count]),
  );
  text.total(
    "answer_statuses",
    "What the answers said",
    Object.entries(snapshot.answerStatuses).map(([status, count]) => [{ status }, count]),
  );
  text.total("bytes", "Payload bytes", [
    [{ direction: "sent" }, bytes.sent],
    [{ direction: "received" }, bytes.received],
  ]);
  text.gauge("requested_rate", "Messages per second in the steady phase by the plan", [[
    {},
    snapshot.requestedRate,
  ]]);
  text.gauge("achieved_rate", "Messages per second sent in the steady phase", [[
    {},
    snapshot.achievedRate,
  ]]);
  text.times("response", "From the intended time to the answer", histograms.response);
  text.times("service", "From the send to the answer", histograms.service);
  text.times("connect", "From the attempt to the open connection", histograms.connect);
  text.times("schedule_error", "From the intended time to the send", histograms.scheduleError);
  text.times("lateness", "Of the generator itself", histograms.lateness);
  text.total("held_back_sends", "Sends that the target held up in the steady phase", [[
    {},
    generator.heldBackSends,
  ]]);
  text.gauge("steady_cpu_share", "Cores used in the steady phase", [[
    {},
    generator.steadyCpuShare,
  ]]);
  processUsage(text, generator);
}

/** What a run that opens connections until something breaks has found. */
function ramp(text: Exposition, { ramp, overdue }: ClientSnapshot): void {
  if (ramp === undefined) return;
  text.gauge("ramp_is_broken", "1 once something broke", [[{}, ramp.knee === undefined ? 0 : 1]]);
  text.gauge("messages_overdue", "Messages that wait for longer than a bound", [
    ...(overdue ?? []).map(({ afterMs, count }): Sample => [
      { after_seconds: String(afterMs / 1000) },
      count,
    ]),
  ]);
  if (ramp.knee === undefined) return;
  text.gauge("ramp_knee_connections", "Active connections when issues started", [[
    {},
    ramp.knee.connections,
  ]]);
  text.gauge("ramp_knee_seconds", "When issues started, since the start of the run", [[
    {},
    ramp.knee.atMs / 1000,
  ]]);
  if (ramp.limit === undefined) return;
  const { side, name } = ramp.limit;
  text.gauge("ramp_limit", "The limit that the ramp met; always 1", [[{ side, limit: name }, 1]]);
}

/** What there is of connections that are opened again. */
function upkeep(text: Exposition, { connections, outages, servers, histograms }: ClientSnapshot) {
  const { reopened, recycled } = connections;
  if (reopened !== undefined) {
    text.total("connections_reopened", "Connections opened again", [[{}, reopened]]);
  }
  if (recycled !== undefined) {
    text.total("connections_recycled", "Connections closed to be opened again", [[{}, recycled]]);
  }
  if (histograms.reconnect !== undefined) {
    text.times("reconnect", "The same of connections opened again", histograms.reconnect);
  }
  if (servers !== undefined) {
    text.gauge(
      "server_connections_open",
      "Connections open now by server",
      Object.entries(servers).map(([server, open]) => [{ server }, open]),
    );
  }
  if (outages === undefined) return;
  text.total("outages", "Times in which connections were down", [[{}, outages.total]]);
  const down = outages.list.reduce((sum, outage) => sum + (outage.isOver ? 0 : outage.down), 0);
  text.gauge("connections_down", "Lost connections that are not back", [[{}, down]]);
  const last = outages.list.at(-1);
  if (last === undefined) return;
  text.gauge("last_outage_began_seconds", "Of the last outage, since the start", [[
    {},
    last.beganMs / 1000,
  ]]);
  text.gauge("last_outage_back_seconds", "Of the last outage: until so many were back", [
    [{ percent: "50" }, last.back50Ms / 1000],
    [{ percent: "99" }, last.back99Ms / 1000],
    [{ percent: "100" }, last.backAllMs / 1000],
  ]);
  text.gauge("last_outage_longest_gap_seconds", "Of any connection in the last outage", [[
    {},
    last.longestGapMs / 1000,
  ]]);
  text.gauge("last_outage_connections", "Connections in the last outage", [[
    {},
    last.connections,
  ]]);
}

function messageCounters(text: Exposition, messages: MessageCounts): void {
  const { lost, unsent } = messages;
  text.total("messages_due", "Messages that the plan called for", [[{}, messages.due]]);
  text.total("messages_sent", "Messages sent", [[{}, messages.sent]]);
  text.total("messages_answered", "Messages answered", [[{}, messages.answered]]);
  text.total("messages_lost", "Messages sent and never answered", [
    [{ reason: "timeout" }, lost.timeout],
    [{ reason: "closed" }, lost.closed],
    [{ reason: "corrupted" }, lost.corrupted],
    [{ reason: "unanswered" }, lost.unanswered],
  ]);
  text.total("messages_unsent", "Messages due and never sent", [
    [{ reason: "no-connection" }, unsent.noConnection],
    [{ reason: "held-back" }, unsent.heldBack],
    [{ reason: "generator-late" }, unsent.generatorLate],
  ]);
  text.gauge("messages_in_flight", "Messages that await their answer", [[{}, messages.inFlight]]);
  text.gauge("messages_queued", "Messages that await their send", [[{}, messages.queued]]);
}

function server(text: Exposition, snapshot: ServerSnapshot): void {
  const each = (value: (counts: ServerCounts) => number): Sample[] =>
    snapshot.endpoints.map(({ endpoint, counts }) => [{ endpoint }, value(counts)]);
  text.gauge("connections_open", "Connections open now", each(({ open }) => open));
  text.total("connections_accepted", "Connections let in", each(({ accepted }) => accepted));
  text.total("connections_closed", "Connections ended in order", each(({ closed }) => closed));
  text.total("connections_failed", "Connections ended by an error", each(({ failed }) => failed));
  text.total(
    "connections_refused",
    "Connections not let in",
    snapshot.endpoints.flatMap(({ endpoint, counts }) =>
      Object.entries(counts.refused).map(([reason, count]): Sample => [{ endpoint, reason }, count])
    ),
  );
  text.total("messages", "Messages, or calls with bytes", each(({ messages }) => messages));
  text.total("received_bytes", "Payload received", each((counts) => counts.bytesReceived));
  text.total("sent_bytes", "Payload sent", each((counts) => counts.bytesSent));
  text.total("datagrams_dropped", "Datagrams left unanswered", each(({ dropped }) => dropped));
  failures(text, "connection_failures", snapshot.total.failures);
  processUsage(text, snapshot.process);
}

function failures(text: Exposition, name: string, counts: readonly FailureCount[]): void {
  const byKind = new Map(counts.map(({ kind, count }) => [kind, count]));
  text.total(
    name,
    "Connections that failed or were lost, by kind",
    failureKinds.map((kind) => [{ kind }, byKind.get(kind) ?? 0]),
  );
}

function processUsage(text: Exposition, usage: ProcessUsage): void {
  text.total("cpu_seconds", "CPU time of the process", [
    [{ mode: "user" }, usage.cpuUserSeconds],
    [{ mode: "system" }, usage.cpuSystemSeconds],
  ]);
  text.gauge("resident_memory_bytes", "Resident memory of the process", [[{}, usage.rssBytes]]);
  text.gauge("open_fds", "Open file descriptors of the process", [[{}, usage.openFds]]);
}

/** A label of the run as a label of Prometheus, whose names have letters, digits and `_` only. */
function labelName(key: string): string {
  return `label_${key.replaceAll(/[^a-zA-Z0-9_]/g, "_")}`;
}
