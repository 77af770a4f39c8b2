/** One thing that makes a limit wider. */
export type Remedy =
  /** A setting of the kernel. */
  | { readonly kind: "sysctl"; readonly name: string; readonly value: string }
  /** A file of a control group. */
  | { readonly kind: "file"; readonly path: string; readonly value: string }
  /** A limit of processes, which they have from the shell that starts them: `ulimit -n`. */
  | { readonly kind: "ulimit"; readonly flag: "n" | "u"; readonly value: number }
  /** What a person has to do. */
  | { readonly kind: "advice"; readonly text: string };

/** As a command of the shell; undefined for what is none. */
export function commandOf(remedy: Remedy): string | undefined {
  switch (remedy.kind) {
    case "sysctl":
      return `sysctl -w ${remedy.name}=${quoted(remedy.value)}`;
    case "file":
      return `echo ${quoted(remedy.value)} > ${quoted(remedy.path)}`;
    case "ulimit":
      return `ulimit -${remedy.flag} ${remedy.value}`;
    case "advice":
      return undefined;
  }
}

/** In the table: a command, or the advice. */
export function textOf(remedy: Remedy): string {
  return remedy.kind === "advice" ? remedy.text : commandOf(remedy)!;
}

/** As one word of the shell. */
function quoted(value: string): string {
  return /^[\w./:,+-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
