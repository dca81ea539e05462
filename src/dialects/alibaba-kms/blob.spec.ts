import { randomBytes, randomUUID } from 'node:crypto';
import { blobIn, blobText } from './blob.js';

const blob = { keyId: randomUUID(), versionId: randomUUID(), sealed: randomBytes(40) };

it('reads what it wrote, and begins with the id of the version as Alibaba’s do', () => {
  expect(blobIn(blobText(blob))).toEqual(blob);
  expect(Buffer.from(blobText(blob), 'base64').toString('latin1', 0, 36)).toBe(blob.versionId);
});

const bytes = Buffer.from(blobText(blob), 'base64');
const changed = (at: number) => {
  const copy = Buffer.from(bytes);
  copy[at] = 0xff;
  return copy.toString('base64');
};
it.each([
  ['nothing', ''],
  ['no base64', '*'],
  ['base64 with a line end', `${blobText(blob)}\n`],
  ['a header alone', bytes.subarray(0, 53).toString('base64')],
  ['no version id', changed(3)],
  ['another format', changed(36)],
])('takes %s for no blob', (_what, text) => {
  expect(blobIn(text)).toBeUndefined();
});
