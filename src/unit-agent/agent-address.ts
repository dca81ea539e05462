import { resolve } from 'node:path';
import { KeysteadError } from '../shared/errors.js';

/** Where an agent listens: a Unix socket, or mutual TLS on a TCP port. */
export type AgentAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tls'; readonly host: string; readonly port: number };

const TLS = /^tls:(?:\[(?<six>[0-9a-fA-F:.]+)\]|(?<host>[^:[\]\s/]+)):(?<port>\d{1,5})$/;
const MAX_PORT = 65_535;

/** Reads `unix:PATH` or `tls:HOST:PORT` (an IPv6 address in brackets). Throws CONFIG_INVALID. */
export function parseAgentAddress(text: string): AgentAddress {
  if (text.startsWith('unix:') && text.length > 'unix:'.length) return { kind: 'unix', path: resolve(text.slice(5)) };
  const { six, host = six, port = '' } = TLS.exec(text)?.groups ?? {};
  if (host === undefined || Number(port) > MAX_PORT) {
    throw new KeysteadError(
      'CONFIG_INVALID',
      `'${text}' is no address of an agent; write unix:PATH or tls:HOST:PORT (an IPv6 address in brackets)`,
    );
  }
  return { kind: 'tls', host, port: Number(port) };
}
