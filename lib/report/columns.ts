/** Widest line of any report. */
export const maxColumns = 100;

/** Where the second column of a report begins: the longest label and two spaces. */
export const labelColumns = 18;

/**
 * Rows of cells as lines: each column as wide as its widest cell, two spaces apart, the first one
 * aligned left, the others right.
 */
export function alignRight(
  rows: readonly (readonly string[])[],
  minWidths: readonly number[] = [],
): string[] {
  const widths: number[] = [...minWidths];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd()
  );
}

/** A label and its text, which is broken at spaces and goes on under its beginning. */
export function labelled(label: string, text: string): string[] {
  return hanging(label.padEnd(labelColumns), text);
}

/** A text behind a prefix, broken at spaces to the width of reports, under its own beginning. */
export function hanging(prefix: string, text: string): string[] {
  const width = maxColumns - prefix.length;
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  lines.push(line);
  const indent = " ".repeat(prefix.length);
  return lines.map((each, index) => ((index === 0 ? prefix : indent) + each).trimEnd());
}

/** Several entries under one label, each on lines of its own, marked by a bullet or not. */
export function labelledList(label: string, entries: readonly string[], bullet = ""): string[] {
  return entries.flatMap((entry, index) =>
    hanging((index === 0 ? label : "").padEnd(labelColumns) + bullet, entry)
  );
}
