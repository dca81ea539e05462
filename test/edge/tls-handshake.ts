import { once } from 'node:events';
import { connect } from 'node:net';

/** What a server does with the first message of a handshake. */
export type Answered = 'continues' | 'handshake_failure' | 'protocol_version' | `alert ${number}` | 'closes';

const HANDSHAKE = 22;
const ALERT = 21;
const ALERTS: Readonly<Record<number, Answered>> = { 40: 'handshake_failure', 70: 'protocol_version' };

/**
 * Sends a ClientHello (RFC 5246 section 7.4.1.2) for one version and the given cipher suites, also such as no library of
 * today has any more, without or with a server name.
 */
export async function hello(
  port: number,
  version: number,
  suites: readonly number[],
  name?: string,
): Promise<Answered> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(clientHello(version, suites, name));
  const first = await Promise.race([once(socket, 'data').then(([data]) => data as Buffer), once(socket, 'close')]);
  socket.destroy();
  if (!Buffer.isBuffer(first)) return 'closes';
  if (first[0] === HANDSHAKE) return 'continues';
  const description = first[0] === ALERT ? (first[6] ?? 0) : 0;
  return ALERTS[description] ?? `alert ${description}`;
}

function clientHello(version: number, suites: readonly number[], name: string | undefined): Buffer {
  const u16 = (value: number) => Buffer.from([value >> 8, value & 0xff]);
  const sized = (body: Buffer) => Buffer.concat([u16(body.length), body]);
  const extension = (type: number, body: Buffer) => Buffer.concat([u16(type), sized(body)]);
  const host = name === undefined ? [] : [Buffer.concat([Buffer.from([0]), sized(Buffer.from(name))])];
  const extensions = Buffer.concat([
    ...host.map((entry) => extension(0, sized(entry))),
    extension(10, sized(Buffer.concat([u16(0x001d), u16(0x0017)]))), // groups: x25519, P-256
    extension(11, Buffer.from([1, 0])), // uncompressed points
    extension(13, sized(Buffer.concat([0x0403, 0x0804, 0x0401, 0x0201].map(u16)))), // signatures, SHA-1 among them
  ]);
  const body = Buffer.concat([
    u16(version),
    Buffer.alloc(32, 7),
    Buffer.from([0]),
    sized(Buffer.concat(suites.map(u16))),
    Buffer.from([1, 0]),
    sized(extensions),
  ]);
  const message = Buffer.concat([Buffer.from([1, 0]), sized(body)]);
  return Buffer.concat([Buffer.from([HANDSHAKE]), u16(0x0301), sized(message)]);
}
