import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { CommandFile } from './command-file.js';
import { fingerprintOf } from './public-key.js';
import { type CommandPayload, parseCommand, verifySigners } from './signed-command.js';

const newKey = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const [ada, bob] = [newKey(), newKey()];
const payload: CommandPayload = {
  v: 1,
  op: 'threshold.set',
  instance: randomUUID(),
  plan: randomUUID(),
  units: [{ id: randomUUID(), serial: 'cafe', epoch: '0'.repeat(32), counter: 3 }],
  args: { threshold: 2 },
  issuedAt: '2026-01-01T00:00:00.000Z',
  expiresAt: '2026-01-02T00:00:00.000Z',
};
const facts = [{ receiptKey: 'AAAA', receipt: 'a.b.c' }];
const unsigned = CommandFile.make(payload, facts);

test('a command collects signatures, and with them becomes the document that a unit takes', () => {
  const file = CommandFile.parse(CommandFile.parse(unsigned.signedBy(ada).text).signedBy(bob).text);
  expect(file.signers).toEqual([ada, bob].map(fingerprintOf));
  expect(file.unitFacts).toEqual(facts);
  const command = parseCommand(file.document);
  expect(command.payload).toEqual(payload);
  expect(command.digest).toBe(unsigned.command.digest);
  expect(Object.keys(JSON.parse(file.document) as object)).toEqual(['payload', 'signatures']);
});

test('without a signature it is no document for a unit', () => {
  expect(unsigned.signers).toEqual([]);
  expect(() => parseCommand(unsigned.document)).toThrow(expect.objectContaining({ code: 'COMMAND_MALFORMED' }));
});

test('the signatures that it collected are those that an agent verifies', () => {
  const command = parseCommand(unsigned.signedBy(ada).signedBy(bob).document);
  const admins = [ada, bob].map((key, n) => ({
    name: String(n),
    kid: fingerprintOf(key),
    spki: Buffer.from(JSON.parse(unsigned.signedBy(key).text).adminKeys[0], 'base64'),
  }));
  expect(verifySigners(command, admins, 2)).toEqual(['0', '1']);
});

test('one key signs once', () => {
  expect(() => unsigned.signedBy(ada).signedBy(ada)).toThrow(expect.objectContaining({ code: 'COMMAND_MALFORMED' }));
});

type Members = { payload: string; signatures: { signature: string }[]; adminKeys: string[] };
const changed = (change: (members: Members) => void): string => {
  const members = JSON.parse(unsigned.signedBy(ada).text) as Members;
  change(members);
  return JSON.stringify(members);
};
const otherPayload = Buffer.from(JSON.stringify({ ...payload, args: { threshold: 1 } })).toString('base64url');

test.each<[string, string, (members: Members) => void]>([
  ['another payload', 'SIGNATURE_INVALID', (members) => Object.assign(members, { payload: otherPayload })],
  ['another key', 'COMMAND_MALFORMED', (members) => Object.assign(members, { adminKeys: [] })],
  ['a key that is none', 'COMMAND_MALFORMED', (members) => Object.assign(members, { adminKeys: ['AAAA'] })],
  ['another member', 'COMMAND_MALFORMED', (members) => Object.assign(members, { sudo: true })],
  [
    'another signature',
    'SIGNATURE_INVALID',
    ({ signatures }) => Object.assign(signatures[0] ?? {}, { signature: Buffer.alloc(256, 1).toString('base64url') }),
  ],
])('with %s it is refused: %s', (_what, code, change) => {
  expect(() => CommandFile.parse(changed(change))).toThrow(expect.objectContaining({ code }));
});
