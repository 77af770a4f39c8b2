import type { Exposition } from "../../report/exposition.ts";
import { one } from "./samples.ts";
import type { SystemFigures } from "./system_monitor.ts";

/** The process and its host. */
export function system(text: Exposition, figures: SystemFigures): void {
  const { networkBytes, networkBytesCurrent } = figures;
  const gauge = (name: string, help: string, value: number) => text.gauge(name, help, one(value));
  const counter = (name: string, help: string, value: number) =>
    text.counter(name, help, one(value));
  gauge(
    "system_process_cpu_usage_percent",
    "CPU of this process in the last second; 100 is one core",
    figures.processCpuPercent,
  );
  gauge(
    "system_process_memory_usage_bytes",
    "Resident memory of this process",
    figures.processMemoryBytes,
  );
  gauge(
    "system_process_virtual_memory_usage_bytes",
    "Address space of this process",
    figures.processVirtualMemoryBytes,
  );
  gauge("system_total_memory_bytes", "Memory of the host", figures.totalMemoryBytes);
  gauge(
    "system_available_memory_bytes",
    "Memory that can be used without swapping",
    figures.availableMemoryBytes,
  );
  gauge("system_used_memory_bytes", "Memory that is not available", figures.usedMemoryBytes);
  gauge("system_cpu_count", "Logical CPUs of the host", figures.cpuCount);
  counter(
    "system_network_bytes_sent_total",
    "Sent by all interfaces but loopback and ifb, since they came up",
    networkBytes.sent,
  );
  counter(
    "system_network_bytes_received_total",
    "Received by all interfaces but loopback and ifb, since they came up",
    networkBytes.received,
  );
  gauge(
    "system_network_bytes_sent_current",
    "Of those, in the last second",
    networkBytesCurrent.sent,
  );
  gauge(
    "system_network_bytes_received_current",
    "Of those, in the last second",
    networkBytesCurrent.received,
  );
  counter("system_tcp_segments_out", "TCP segments sent by the host", figures.tcpSegmentsOut);
  counter(
    "system_tcp_segments_retrans",
    "TCP segments sent again by the host",
    figures.tcpSegmentsRetransmitted,
  );
  gauge(
    "system_tcp_retransmit_rate_percent",
    "TCP segments sent again per hundred sent, in the last second",
    figures.tcpRetransmitPercent,
  );
}
