import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import { lengthPrefixed, sha256 } from '../shared/bytes.js';
import { readFields } from './fields.js';
import { encodeFrame, type Frame, FrameReader, FrameWriter } from './frames.js';
import { MAX_FRAME_BYTES } from './protocol.js';

const frame = fc.record({
  id: fc.nat({ max: 0xffffffff }),
  code: fc.nat({ max: 255 }),
  body: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
});

describe('frames', () => {
  it('has the length of all that follows, the request id, the code and the body', () => {
    const bytes = encodeFrame({ id: 7, code: 32, body: Buffer.from('abc') });
    expect(bytes.toString('hex')).toBe('00000008' + '00000007' + '20' + '616263');
  });

  it('comes out as it went in, however the stream was cut', () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 6 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
        (sent, cuts) => {
          const stream = Buffer.concat(sent.map(encodeFrame));
          const reader = new FrameReader();
          const received: Frame[] = [];
          for (let at = 0; at < stream.length; ) {
            const end = at + (cuts.next().value ?? 1);
            received.push(...reader.push(stream.subarray(at, end)));
            at = end;
          }
          expect(received.map(({ id, code, body }) => [id, code, body.toString('hex')])).toEqual(
            sent.map(({ id, code, body }) => [id, code, body.toString('hex')]),
          );
        },
      ),
    );
  });

  it('takes the longest frame and none longer', () => {
    const longest = { id: 1, code: 1, body: Buffer.alloc(MAX_FRAME_BYTES - 5) };
    expect(new FrameReader().push(encodeFrame(longest))).toHaveLength(1);
    expect(() => encodeFrame({ ...longest, body: Buffer.alloc(MAX_FRAME_BYTES - 4) })).toThrow('1048576 bytes at most');
  });

  it.each([0, 4, MAX_FRAME_BYTES + 1, 0xffffffff])('refuses a length of %s at once, before any body', (length) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(length);
    expect(() => new FrameReader().push(head)).toThrow('is not possible');
  });
});

describe('frames that are written', () => {
  const body = (n: number) => randomBytes(n % 50 === 0 ? 70_000 : (n * 37) % 2_000); // most into the buffer, some beyond it

  it.each([
    ['at once', false],
    ['when the kernel takes no more', true],
  ])('arrive whole and in order, read %s', async (_when, late) => {
    const { near, far, server } = await connected();
    const received: string[] = [];
    const reader = new FrameReader();
    const read = () =>
      far.on('data', (piece: Buffer) => {
        for (const { id, code, body } of reader.push(piece)) received.push(`${id} ${code} ${digestOf(body)}`);
      });
    if (!late) read();
    const sent: string[] = [];
    const writer = new FrameWriter(near);
    for (let id = 0; id < 2_000 || (late && near.writableLength < 300_000); id += 1) {
      const pieces = [body(id), body(id + 1)];
      sent.push(`${id} ${id % 256} ${digestOf(Buffer.concat(pieces))}`);
      writer.write(id, id % 256, pieces);
      for (const piece of pieces) piece.fill(0); // the writer has copied them
      if (id % 40 === 0) await new Promise(setImmediate);
    }
    writer.flush();
    near.end();
    if (late) read();
    await once(far, 'end');
    server.close();
    expect(received).toEqual(sent);
  });

  it('do not stay in memory when the kernel has taken them', async () => {
    const { near, far, server } = await connected();
    const written: Buffer[] = [];
    const write = near.write.bind(near);
    near.write = (bytes: Uint8Array | string) => {
      written.push(bytes as Buffer);
      return write(bytes);
    };
    const writer = new FrameWriter(near);
    writer.write(1, 2, [Buffer.from('a key')]);
    writer.flush();
    near.destroy();
    far.destroy();
    server.close();
    expect(written).toEqual([Buffer.alloc(9 + 5)]);
  });
});

/** The two ends of a connection. */
async function connected(): Promise<{ near: Socket; far: Socket; server: Server }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [[Socket], unknown];
  return { near, far, server };
}

const digestOf = (bytes: Buffer) => sha256(bytes).toString('hex');

describe('fields', () => {
  it('come out as they went in', () => {
    const field = fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.array(field, { maxLength: 12 }), (fields) => {
        expect(readFields(lengthPrefixed(fields), fields.length).map((one) => one.toString('hex'))).toEqual(
          fields.map((one) => one.toString('hex')),
        );
      }),
    );
  });

  it.each([
    ['fewer than asked', lengthPrefixed(['a'])],
    ['more than asked', lengthPrefixed(['a', 'b', 'c'])],
    ['bytes after the last', Buffer.concat([lengthPrefixed(['a', 'b']), Buffer.alloc(1)])],
    ['a length beyond the end', Buffer.from('00000001610000ffff', 'hex')],
    ['half a length', Buffer.from('000000016100', 'hex')],
    ['nothing', Buffer.alloc(0)],
  ])('refuses %s', (_what, body) => {
    expect(() => readFields(body, 2)).toThrow('2 length-prefixed fields and nothing else');
  });
});
