const GAP = '   ';
/** IBM's ruler around the table of crypto units. */
const STARS = '*'.repeat(55);

/** Columns as wide as their widest cell, three blanks between them, no blanks at the end of a line. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join(GAP)
      .trimEnd();
  return [head, ...rows].map(line).join('\n');
}

/** The same between two rulers of stars, as `ibmcloud kp crypto-units` prints it. */
export function starred(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [STARS, table(head, rows), STARS].join('\n');
}

/** Names on the left, values on the right; a value that is undefined or null is shown as a dash. */
export function listing(pairs: readonly (readonly [string, string | number | boolean | null | undefined])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(width)}${GAP}${value ?? '-'}`).join('\n');
}
