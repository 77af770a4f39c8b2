/** A router behind the balancer. */
export interface BalancedNode {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

export interface BalancerSettings {
  readonly host: string;
  readonly port: number;
  readonly nodes: readonly BalancedNode[];
  /** Where the balancer can be asked for the state of its servers. */
  readonly statsSocket: string;
  readonly maxConnections: number;
}

/**
 * HAProxy's configuration, tuned so that a node that is gone costs its sessions as little as it can:
 *
 * - a check over HTTP each 500 ms (`/info`), twice as often once one has failed: a node that accepts
 *   connections and does nothing else (SIGSTOP) is found within 1.5 s, which a check of the port alone
 *   never would;
 * - `observe layer4` with `error-limit 1` and `on-error mark-down`: the first connection that a node
 *   refuses marks it down, so that the others do not fall into it until the checks have noticed;
 * - `redispatch` on the first retry: that first connection goes to another node;
 * - `on-marked-down shutdown-sessions`: clients of a node that hangs are told so.
 *
 * With checks of 2 s and `leastconn` alone, a dead node has the fewest connections and gets all new ones
 * for six seconds. Source: HAProxy 2.6 configuration manual, sections 4.2 and 5.2.
 */
export function haproxyConfig(settings: BalancerSettings): string {
  const { host, port, nodes, statsSocket, maxConnections } = settings;
  return `global
    maxconn ${maxConnections}
    stats socket ${statsSocket} mode 600 level user

defaults
    mode tcp
    timeout connect 250ms
    timeout client 1h
    timeout server 1h
    timeout check 400ms
    retries 3
    option redispatch 1

frontend wamp
    bind ${host}:${port}
    default_backend routers

backend routers
    balance leastconn
    option httpchk
    http-check send meth GET uri /info ver HTTP/1.1 hdr Host localhost
    http-check expect status 200
    default-server check inter 500ms fastinter 100ms downinter 500ms fall 2 rise 2
    default-server observe layer4 error-limit 1 on-error mark-down
    default-server on-marked-down shutdown-sessions
${nodes.map(({ name, host, port }) => `    server ${name} ${host}:${port}`).join("\n")}
`;
}
