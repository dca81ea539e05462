/**
 * The one JSON text of a value after RFC 8785 (JCS): no blanks, members sorted by UTF-16 code units, numbers and
 * strings as ECMAScript prints them. For plain data without undefined, and with whole numbers only.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(',')}}`;
}
