import { Exposition, type Sample } from "../../report/exposition.ts";
import type { ProbeSnapshot, RequestCounts } from "./snapshot.ts";

/** A snapshot in the text format of Prometheus. */
export function probeExposition(snapshot: ProbeSnapshot): string {
  const { sessions, publications, calls, events, usage, histograms } = snapshot;
  const text = new Exposition("holdfast_wamp_");
  text.gauge("sessions_open", "Sessions that are subscribed now", [[{}, sessions.open]]);
  text.gauge("sessions_requested", "Sessions that should be open", [[{}, sessions.requested]]);
  text.total("sessions_lost", "Sessions that ended unasked", [[{}, sessions.lost]]);
  text.gauge(
    "sessions_by_node",
    "Open sessions by the node that serves them",
    Object.entries(snapshot.nodes).map(([node, open]): Sample => [{ node }, open]),
  );
  requests(text, "publications", publications);
  requests(text, "calls", calls);
  text.total("errors", "Errors that answered requests", [
    ...Object.entries(snapshot.errors).map(([uri, count]): Sample => [{ uri }, count]),
  ]);
  text.total("events_received", "Events received, copies included", [[{}, events.received]]);
  text.total("events_forwarded", "Of those, over a router link", [[{}, events.forwarded]]);
  text.total("events_unique", "Each publication once for each subscriber", [[{}, events.unique]]);
  text.total("events_duplicated", "Further copies", [[{}, events.duplicated]]);
  text.total("events_out_of_order", "After a later one", [[{}, events.outOfOrder]]);
  text.gauge("events_missing", "Passed over and not there yet", [[{}, events.missing]]);
  text.total("events_payload_bytes", "Payload received", [[{}, events.payloadBytes]]);
  text.total("sent_bytes", "Bytes of messages sent", [[{}, snapshot.bytes.sent]]);
  text.total("received_bytes", "Bytes of messages received", [[{}, snapshot.bytes.received]]);
  text.times("acknowledgement", "PUBLISHED minus intended time", histograms.acknowledgement);
  text.times("call", "RESULT minus intended time", histograms.call);
  text.times("delivery", "EVENT minus intended time", histograms.delivery);
  text.times("reconnect", "From the loss of a session to its return", histograms.reconnect);
  text.times("lateness", "The probe's own lateness", histograms.lateness);
  text.total("cpu_seconds", "CPU time of the probe", [
    [{ mode: "user" }, usage.cpuUserSeconds],
    [{ mode: "system" }, usage.cpuSystemSeconds],
  ]);
  text.gauge("resident_memory_bytes", "Memory of the probe", [[{}, usage.rssBytes]]);
  return text.toString();
}

function requests(text: Exposition, name: string, counts: RequestCounts): void {
  text.total(name, `${name} by what became of them`, [
    [{ fate: "answered" }, counts.answered],
    [{ fate: "refused" }, counts.refused],
    [{ fate: "timeout" }, counts.timeout],
    [{ fate: "closed" }, counts.closed],
    [{ fate: "unanswered" }, counts.unanswered],
  ]);
  text.gauge(`${name}_in_flight`, `${name} that wait for their answers`, [[{}, counts.inFlight]]);
}
