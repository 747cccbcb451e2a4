/** The metrics that every daemon has. */
import { version } from "../../base/version.js";
import { socketTraffic } from "../../wire/sockets.js";
import { counter, type MetricFamily } from "./families.js";

/** What a process is and what its sockets move. */
export function processFamilies(role: string): MetricFamily[] {
  return [
    { name: "bqueryd_info", help: "1, with the role and the version of the process", kind: "gauge", labels: ["role", "version"], read: () => [{ labels: { role, version }, value: 1 }] },
    counter("bqueryd_received_bytes_total", "Bytes of messages received", () => socketTraffic().bytesIn),
    counter("bqueryd_sent_bytes_total", "Bytes of messages sent", () => socketTraffic().bytesOut),
  ];
}
