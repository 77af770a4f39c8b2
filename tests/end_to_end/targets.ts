/** Options of the client by what it speaks, `@` being the authority of the server's certificate. */
const targets = {
  tcp: [],
  tls: ["--ca", "@"],
  udp: [],
  ws: [],
  wss: ["--ca", "@"],
  quic: ["--ca", "@"],
  "quic datagrams": ["--ca", "@", "--datagrams"],
} as const;

export type TargetName = keyof typeof targets;
export const targetNames = Object.keys(targets) as TargetName[];

/** What a client needs for this target besides the endpoint. */
export function optionsFor(name: TargetName, authorityFile: string): string[] {
  return targets[name].map((option) => option === "@" ? authorityFile : option);
}
