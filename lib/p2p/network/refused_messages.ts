/** The library's counters of what it refused: messages, RPCs that are none, streams that end amid one. */
const counted: ReadonlySet<string> = new Set([
  "gossipsub_msg_received_invalid_total",
  "gossipsub_rpc_data_err_count_total",
  "gossipsub_rpc_recv_err_count_total",
  "gossipsub_peer_read_stream_err_count_total",
]);

/** Counts what gossipsub refuses, which it tells its metrics alone. */
export class RefusedMessages {
  count = 0;

  /** For the library's option; takes no notice of all its other metrics. */
  readonly register = {
    gauge: ({ name }: { readonly name: string }) => ({
      ...{ set: nothing, addCollect: nothing },
      inc: counted.has(name) ? () => void this.count++ : nothing,
    }),
    histogram: () => ({ startTimer: () => nothing, observe: nothing, reset: nothing }),
    avgMinMax: () => ({ set: nothing }),
  };
}

function nothing(): void {}
