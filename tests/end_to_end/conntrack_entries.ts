/** Entries that the kernel does not throw away for new ones, as `conntrack --load-file` reads them. */
export function conntrackEntries(count: number): string {
  const lines: string[] = [];
  for (let i = 0; i < count; i++) {
    lines.push(
      `-A -p udp --src 10.${i >> 16}.${(i >> 8) & 255}.${i & 255} --dst 203.0.113.1 --sport 1000 ` +
        `--dport 2000 --timeout 600 --status SEEN_REPLY,ASSURED`,
    );
  }
  return `${lines.join("\n")}\n`;
}
