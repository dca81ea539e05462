import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** An agent across a network. The agent must show a certificate of the CA for its host; we show ours. All PEM. */
export interface TlsDial {
  readonly host: string;
  readonly port: number;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** How an agent is reached: the path of its Unix socket, or mutual TLS. */
export type Dial = string | TlsDial;

const KEEP_ALIVE_MS = 10_000;

/** A socket that connects; it is ready with the event of that name. */
export function open(dial: Dial): { socket: Socket; ready: 'connect' | 'secureConnect'; where: string } {
  if (typeof dial === 'string') return { socket: connect(dial), ready: 'connect', where: dial };
  const socket = connectTls({ ...dial, minVersion: 'TLSv1.3' });
  socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
  return { socket, ready: 'secureConnect', where: `${dial.host}:${dial.port}` };
}
