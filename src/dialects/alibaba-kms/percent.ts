import { AlibabaError } from './refusals.js';

/** A name with its value, decoded. */
export type Pair = readonly [name: string, value: string];

/** RFC 3986 section 2: UTF-8, everything but `A-Z a-z 0-9 - _ . ~` as %XX in upper-case hex. */
export function percentEncoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}

/**
 * The pairs of a query, or of a form's body, in their order: `+` is a blank, a pair without `=` has an empty value.
 * ParseRequestParameterException for what is not UTF-8 in percent-encoding.
 */
export function formPairs(text: string): Pair[] {
  const parts = text.split('&').filter((part) => part !== '');
  return parts.map((part) => {
    const at = part.includes('=') ? part.indexOf('=') : part.length;
    return [decoded(part.slice(0, at)), decoded(part.slice(at + 1))];
  });
}

function decoded(text: string): string {
  if (/[^\x21-\x7e]/.test(text)) throw unreadable();
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch (cause) {
    if (cause instanceof URIError) throw unreadable();
    throw cause;
  }
}

function unreadable(): AlibabaError {
  return new AlibabaError('ParseRequestParameterException', 'They must be UTF-8 in percent-encoding.');
}

/** `a=1&b=` of the pairs, each encoded as signatures want it, sorted by name in the order of code points. */
export function canonicalQuery(pairs: readonly Pair[]): string {
  return [...pairs]
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([name, value]) => `${percentEncoded(name)}=${percentEncoded(value)}`)
    .join('&');
}
