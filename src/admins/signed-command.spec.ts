import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { GeneralSign, generalVerify } from 'jose';
import { KeysteadError } from '../shared/errors.js';
import { fingerprintOf, spkiOf } from './public-key.js';
import {
  assertFresh,
  COMMAND_TYP,
  type CommandPayload,
  type ParsedCommand,
  parseCommand,
  type Signer,
  signCommand,
  verifySigners,
} from './signed-command.js';

const keyPair = (publicExponent = 65_537) =>
  generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent }).privateKey;
const adminOf = (name: string, key: KeyObject): Signer => ({ name, kid: fingerprintOf(key), spki: spkiOf(key) });

const alice = keyPair();
const bob = keyPair();
const carol = keyPair();
const ALICE = adminOf('ADMIN', alice);
const BOB = adminOf('bob', bob);
const CAROL = adminOf('carol', carol);

const payload: CommandPayload = {
  v: 1,
  op: 'user.remove',
  instance: 'c28a8939-3980-4697-a80c-50b1f8bbf160',
  plan: randomUUID(),
  units: [
    { id: '6e0aead3-9d44-4c92-a4c4-f7a1ab415420', serial: 'a1b2c3d4', epoch: '00'.repeat(16), counter: 7 },
    { id: '3bb363fc-b1f9-4237-b37b-2c9e07784e3c', serial: 'd4c3b2a1', epoch: '11'.repeat(16), counter: 9 },
  ],
  args: { name: 'bob' },
  issuedAt: '2026-01-01T00:00:00.000Z',
  expiresAt: '2026-01-01T00:10:00.000Z',
};

const malformed = expect.objectContaining({ code: 'COMMAND_MALFORMED' });
const base64url = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const accepted = (text: string, admins: readonly Signer[] = [ALICE, BOB, CAROL], threshold = 1) =>
  verifySigners(parseCommand(text), admins, threshold);

/** A document signed by jose: any payload, any protected header. */
function joseSigned(body: string | object, header: object = {}, key = alice): Promise<string> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const protectedHeader = { alg: 'PS256', kid: fingerprintOf(key), typ: COMMAND_TYP, ...header };
  return new GeneralSign(Buffer.from(text))
    .addSignature(key, { crit: { 'x-ours': true } })
    .setProtectedHeader(protectedHeader)
    .sign()
    .then((jws) => JSON.stringify(jws));
}

describe('a signed command', () => {
  it('comes back as it was signed, with the SHA-256 of its payload', () => {
    const text = signCommand(payload, [alice, bob]);
    const command = parseCommand(text);
    const bytes = Buffer.from((JSON.parse(text) as { payload: string }).payload, 'base64url');
    expect(command.payload).toEqual(payload);
    expect(command.digest).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(verifySigners(command, [ALICE, BOB], 2)).toEqual(['ADMIN', 'bob']);
  });

  it('is JWS: jose verifies ours', async () => {
    const jws = JSON.parse(signCommand(payload, [alice]));
    const { payload: bytes, protectedHeader } = await generalVerify(jws, createPublicKey(alice));
    expect(JSON.parse(Buffer.from(bytes).toString())).toEqual(payload);
    expect(protectedHeader).toEqual({ alg: 'PS256', kid: ALICE.kid, typ: COMMAND_TYP });
  });

  it('is JWS: we verify what jose signs', async () => {
    expect(accepted(await joseSigned(payload))).toEqual(['ADMIN']);
  });

  it('cannot be signed when an agent would find it malformed', () => {
    expect(() => signCommand({ ...payload, plan: 'x' }, [alice])).toThrow(malformed);
    expect(() => signCommand(payload, [alice, alice])).toThrow(malformed);
    expect(() => signCommand(payload, [])).toThrow(malformed);
  });
});

describe('signatures', () => {
  it('must all verify: one good and one bad one are refused', () => {
    const document = JSON.parse(signCommand(payload, [alice, bob])) as { signatures: { signature: string }[] };
    const other = JSON.parse(signCommand({ ...payload, plan: randomUUID() }, [bob])) as typeof document;
    (document.signatures[1] as { signature: string }).signature = other.signatures[0]?.signature ?? '';
    const refused = expect.objectContaining({ code: 'SIGNATURE_INVALID', message: expect.stringContaining('bob') });
    expect(() => accepted(JSON.stringify(document))).toThrow(refused);
  });

  it('must all be of administrators: one stranger is refused', () => {
    const refused = expect.objectContaining({ code: 'SIGNATURE_INVALID' });
    expect(() => accepted(signCommand(payload, [alice, carol]), [ALICE, BOB])).toThrow(refused);
  });

  it('count by public key: the kid an administrator is listed with decides nothing', () => {
    const liar = { ...CAROL, kid: ALICE.kid };
    expect(() => accepted(signCommand(payload, [alice]), [liar])).toThrow('is not of an administrator');
    expect(accepted(signCommand(payload, [carol]), [liar])).toEqual(['carol']);
  });

  it('count once per key, even for an administrator listed twice', () => {
    const text = signCommand(payload, [alice]);
    expect(() => accepted(text, [ALICE, { ...ALICE, name: 'again' }], 2)).toThrow(
      expect.objectContaining({ code: 'QUORUM_NOT_MET' }),
    );
  });

  it.each([
    [[alice], 1, true],
    [[alice], 2, false],
    [[bob], 2, false],
    [[alice, bob], 2, true],
    [[alice, carol], 3, false],
    [[alice, bob, carol], 3, true],
    [[alice, bob, carol], 2, true],
    [[alice], 0, true],
  ] as const)('meet the quorum or not (%#)', (keys, threshold, met) => {
    const attempt = () => accepted(signCommand(payload, keys), [ALICE, BOB, CAROL], threshold);
    if (met) expect(attempt()).toHaveLength(keys.length);
    else expect(attempt).toThrow(expect.objectContaining({ code: 'QUORUM_NOT_MET' }));
  });
});

describe('a changed command is refused', () => {
  it('whichever byte was changed', () => {
    const text = Buffer.from(signCommand(payload, [alice]));
    for (let at = 0; at < text.length; at += 1) {
      const changed = Buffer.from(text);
      changed[at] = (changed[at] as number) ^ (1 << (at % 8));
      expect(() => accepted(changed.toString('latin1'))).toThrow(KeysteadError);
    }
  });

  it('whichever way', () => {
    const text = signCommand(payload, [alice, bob]);
    const edit = fc.record({
      at: fc.nat(text.length),
      drop: fc.nat(40),
      put: fc.oneof(fc.string(), fc.constantFrom(',', '"header":{},', '{}', '[]', ' ', '=')),
    });
    fc.assert(
      fc.property(edit, ({ at, drop, put }) => {
        const changed = text.slice(0, at) + put + text.slice(at + drop);
        const blanksOnly = changed.replaceAll(/[ \n\r\t]/g, '') === text;
        fc.pre(!blanksOnly);
        expect(() => accepted(changed)).toThrow(KeysteadError);
      }),
      { numRuns: 2000 },
    );
  });

  it('when members are added, doubled or moved', () => {
    const text = signCommand(payload, [alice]);
    const document = JSON.parse(text) as { payload: string; signatures: { protected: string; signature: string }[] };
    const [one] = document.signatures;
    const variants = [
      text.replace('{"payload"', '{"payload":"e30","payload"'),
      text.replace('{"payload"', '{"pay\\u006coad":"e30","payload"'),
      text.replace('"signatures":[', '"signatures":[],"signatures":['),
      text.replace('{"protected"', '{"header":{},"protected"'),
      text.replace('{"protected"', '{"header":{"kid":"x"},"protected"'),
      JSON.stringify({ ...document, header: {} }),
      JSON.stringify({ ...document, x: 1 }),
      JSON.stringify({ payload: document.payload, ...one }),
      JSON.stringify({ payload: document.payload, signatures: [one, one] }),
      JSON.stringify({ payload: document.payload, signatures: [] }),
      JSON.stringify({ payload: document.payload, signatures: [{ signature: one?.signature }] }),
      JSON.stringify({ payload: `${document.payload}=`, signatures: [one] }),
      JSON.stringify({ payload: document.payload, signatures: [{ ...one, signature: `${one?.signature}==` }] }),
      JSON.stringify({ payload: '', signatures: [one] }),
      `${one?.protected}.${document.payload}.${one?.signature}`,
      `${text}{}`,
      `\ufeff${text}`,
      '',
      'null',
    ];
    for (const variant of variants) expect(() => parseCommand(variant)).toThrow(malformed);
  });
});

describe('a protected header is exactly alg PS256, kid and typ', () => {
  const jwk = createPublicKey(alice).export({ format: 'jwk' });
  it.each([
    ['alg none', { alg: 'none' }],
    ['alg RS256', { alg: 'RS256' }],
    ['alg PS384', { alg: 'PS384' }],
    ['alg HS256', { alg: 'HS256' }],
    ['alg in other letters', { alg: 'ps256' }],
    ['no typ', { typ: undefined }],
    ['a wrong typ', { typ: 'JWT' }],
    ['a receipt’s typ', { typ: 'keystead-receipt+jws' }],
    ['no kid', { kid: undefined }],
    ['a kid in capitals', { kid: 'AB'.repeat(32) }],
    ['a number as kid', { kid: 1 }],
    ['crit', { crit: ['b64'], b64: true }],
    ['b64', { b64: false }],
    ['jwk', { jwk }],
    ['jku', { jku: 'https://example.org/keys' }],
    ['x5c', { x5c: ['AAAA'] }],
    ['x5u', { x5u: 'https://example.org/x' }],
    ['cty', { cty: 'json' }],
    ['nonce', { nonce: 'x' }],
    ['an unknown member', { 'x-ours': 1 }],
  ])('refused: %s', (_, change) => {
    const document = JSON.parse(signCommand(payload, [alice]));
    document.signatures[0].protected = base64url({ alg: 'PS256', kid: ALICE.kid, typ: COMMAND_TYP, ...change });
    expect(() => parseCommand(JSON.stringify(document))).toThrow(malformed);
  });

  it('also when jose signed the other header', async () => {
    for (const header of [{ alg: 'RS256' }, { typ: 'JWT' }, { jwk }, { crit: ['x-ours'], 'x-ours': 1 }]) {
      const text = await joseSigned(payload, header);
      expect(() => parseCommand(text)).toThrow(malformed);
    }
  });

  it('and no member of it occurs twice', () => {
    const document = JSON.parse(signCommand(payload, [alice]));
    const header = `{"alg":"none","alg":"PS256","kid":"${ALICE.kid}","typ":"${COMMAND_TYP}"}`;
    document.signatures[0].protected = base64url(header);
    expect(() => parseCommand(JSON.stringify(document))).toThrow(malformed);
  });
});

describe('a payload has one shape', () => {
  const [unit] = payload.units;
  it.each<[string, object | string]>([
    ['version 2', { ...payload, v: 2 }],
    ['an unknown op', { ...payload, op: 'claim' }],
    ['an unknown member', { ...payload, sudo: true }],
    ['a missing member', { ...payload, args: undefined }],
    ['no units', { ...payload, units: [] }],
    ['a unit twice', { ...payload, units: [unit, { ...unit, counter: 8 }] }],
    ['a unit with another member', { ...payload, units: [{ ...unit, x: 1 }] }],
    ['counter 0', { ...payload, units: [{ ...unit, counter: 0 }] }],
    ['counter 1.5', { ...payload, units: [{ ...unit, counter: 1.5 }] }],
    ['a counter in quotes', { ...payload, units: [{ ...unit, counter: '7' }] }],
    ['a plan in capitals', { ...payload, plan: payload.plan.toUpperCase() }],
    ['a v1 plan', { ...payload, plan: '6e0aead3-9d44-1c92-a4c4-f7a1ab415420' }],
    ['a life of more than 24 hours', { ...payload, expiresAt: '2026-01-02T00:00:00.001Z' }],
    ['an expiry before its issue', { ...payload, expiresAt: '2025-12-31T23:59:59.999Z' }],
    ['a local time', { ...payload, issuedAt: '2026-01-01T01:00:00+01:00' }],
    ['args of another op', { ...payload, op: 'zeroize' }],
    ['args with another member', { ...payload, args: { name: 'bob', force: true } }],
    ['no object', '[]'],
    ['a duplicate member', JSON.stringify(payload).replace('{"v"', '{"op":"zeroize","v"')],
    ['a member __proto__', JSON.stringify(payload).replace('"args":{', '"args":{"__proto__":{},')],
    ['text after it', `${JSON.stringify(payload)} x`],
  ])('refused, though well signed: %s', async (_, body) => {
    const text = await joseSigned(body);
    expect(() => parseCommand(text)).toThrow(malformed);
  });

  it('takes a v7 plan', async () => {
    const text = await joseSigned({ ...payload, plan: '0190aead-9d44-7c92-a4c4-f7a1ab415420' });
    expect(accepted(text)).toEqual(['ADMIN']);
  });
});

describe('freshness', () => {
  it.each([
    ['2025-12-31T23:59:00.000Z', true],
    ['2025-12-31T23:58:59.999Z', false],
    ['2026-01-01T00:05:00.000Z', true],
    ['2026-01-01T00:11:00.000Z', true],
    ['2026-01-01T00:11:00.001Z', false],
  ])('allows 60 seconds of skew: at %s it is %s', (at, fresh) => {
    const attempt = () => assertFresh(payload, new Date(at));
    if (fresh) expect(attempt).not.toThrow();
    else expect(attempt).toThrow(expect.objectContaining({ code: 'COMMAND_EXPIRED' }));
  });

  it('is refused with both times', () => {
    expect(() => assertFresh(payload, new Date('2026-02-03T04:05:06.789Z'))).toThrow(
      /2026-01-01T00:10:00.000Z.+2026-02-03T04:05:06.789Z/,
    );
  });
});

/** From C2SP/wycheproof, testvectors_v1/rsa_pss_2048_sha256_mgf1_32_test.json (Apache-2.0). */
interface PssVector {
  readonly tcId: number;
  readonly comment: string;
  readonly result: string;
  readonly msg: string;
  readonly sig: string;
}
const PSS_KEY =
  '30820122300d06092a864886f70d01010105000382010f003082010a0282010100a2b451a07d0aa5f96e455671513550514a8a5b462ebef717094fa1fee82224e637f9746d3f7cafd31878d80325b6ef5a1700f65903b469429e89d6eac8845097b5ab393189db92512ed8a7711a1253facd20f79c15e8247f3d3e42e46e48c98e254a2fe9765313a03eff8f17e1a029397a1fa26a8dce26f490ed81299615d9814c22da610428e09c7d9658594266f5c021d0fceca08d945a12be82de4d1ece6b4c03145b5d3495d4ed5411eb878daf05fd7afc3e09ada0f1126422f590975a1969816f48698bcbba1b4d9cae79d460d8f9f85e7975005d9bc22c4e5ac0f7c1a45d12569a62807d3b9a02e5a530e773066f453d1f5b4c2e9cf7820283f742b9d50203010001';
// biome-ignore format: one vector a line
const PSS_VECTORS: readonly PssVector[] = [
  { tcId: 2, comment: 'valid signature', result: 'valid', msg: '0000000000000000000000000000000000000000', sig: '0658c68fe0895646056d9bca422a64fe48813b4e14f0c8c4122e56d345b6813dc6286ffde014617e351c7af0a0d2c0f285def79cb734e1e055a25fa6fddc1c07da17b4b235c637413b1849c24311fa72331f4c0458c364a4916de8619b884d7e37288fad12926fc091f4851686a04fd0a504dbce3db370663a6ea6128fea86c2ca94c63e0d34d7f2c845b5d71d9a5e544451f524a451acb85c49bba7864e0a34a48613a819caf3dfd0d510c940f1df21c3373915be1f3509a557fa4d5a4e9f273e85467961133e2482c0907386454228fb0246638616fc31bbb6fa7c2361b8035994eec69a923f4c0bb0ba8696dfe8b1400c2398d7b343fdf498b1116c8de602' },
  { tcId: 67, comment: 's_len changed to 0', result: 'invalid', msg: '313233343030', sig: '5e91b5dcbf02d6f19621d41a83dc8f15ea83c0edb83765ef029b0acac2e1ec8918b1d2afe1fadf11c48d27594cb9c01fed79d90e5d5a8085c438450111aa7d9fa39c2345b14fc3c2cb34128f86db5eb00bdf8dfe38d61f29a41fe31342e7aaefcb4b122eb5d63c2f5c263c8df8450e9428ffef974d535818d51dc03a7d60c8b2d16c999ae46d73ab40515fe601d9b89b1d09c6d60cd51639a97c1d211e097609ba5e8c319c6fbd21b34a634ec8fb8971c5aae21c70b847a4539cc10dc314ddd8a9629e8a0e51c66c0cb61fd1f7228c01c6769190abe9bac9a3897800050014358594e0fb20dbb458b12aa1346826cc9f7e9c5352b073d62853dafe77c848cb1f' },
  { tcId: 70, comment: 's_len changed to 31', result: 'invalid', msg: '313233343030', sig: '5d8c3644e0e18da9d81ba3fd33436e4379d3c3fa8127b41f2eb901836b31a78f0954d3287d452887ee3a285701a920b0f6fb8da0e017c7bcbe59cb9bf5d5aacb1032cdc4ddd85492c0638519a4694f686e77305d138b9d3491460f408abb8abfd7e3622aff5a4a96b383ff87560e9be962aa4696be3668645e6a43b460b18c93af0578a8de3b4d2fc657376c7ec9a23c473a81ac57da1262b47204c13f5befc0ce2b4339b83999cbedafa334ddc73624eae8b7002c082d8ca7064b6963b443ae32b2a16fcdb4ad5e8c9b8073305ac4c14fe0c29514320d09b6e48ddea9f3e02cf3273f5cb5871a0bb81a935606b7fe56bebe410c5afea5a8af3c426b72cd291a' },
  { tcId: 71, comment: 's_len changed to 33', result: 'invalid', msg: '313233343030', sig: '563e94111eade9526d1f2e93da16ee171273291abfb90aeb94ae7b95f16395949ef3d3f0994852de035cebf8cd002b76579d0758325c6750ffc917be419174d255a2b798ce287f6240a97d4fcae47e88308658898ce37407e9684caca197c46ec9f66a0ba4e8aecf6a7ae749304fddf1ec4155a17de5d01117a3cbf2a34fa77d0556a39451b697c869e6fab3283541816bd6c7520b5eb0ee6b592a19331ffcccdcaa403f4f25e732a847ff260ec40ecfb52abc6f65f95d21715acd2c0dadb23d7e1c0fa8cac3e60c6f19b430f9c252ce1f392cd2f7bc87a4be0a4dc0b7f909afa7c25ed1b5be611bf86a648592786385f02c345eaedd03c4b0bb5bb758254d9d' },
  { tcId: 73, comment: 'salt is all 0', result: 'valid', msg: '313233343030', sig: '1591ae743c58ceb723a76f502e21ff6a65c24cabf5f527bab5a6f2a69f20c776fd2251e43ad22e09b1486ceb1935b2dc2ade95e233f296cc0e5a8af8109659be76b6bfdf37e14837fd6c34bfed1f19ec9d21f974b984fe4d4773896ebcc7fb862fd641cd0d77178485c70c2d68b4d9be1d863f6f254b77991fc9053f5d5415d1aa74ba9067e2e6607fb651638c9cc0430a40c9b691977b557a31d95a290a95b56ef2ec8e4313686a9c5ef48235912b210fdd2c50aafac28131104c795c42ae75810b0284b2d257e81ecac4240622ebc261ab8bceeeebe80f1cfa70f18d782aebb97d803ea3a895be541be6941df103eaaabd870848bfaf58cdaf6cecdd5a10bf' },
  { tcId: 78, comment: 'first byte of hash h modified', result: 'invalid', msg: '313233343030', sig: '3f27e0fafc57629ccc0432827187766a30537e821a2fcd5f1088100d4d8b6a6a9ce950f51102e3b55167d4b49e0b6a306e0fdf90837d0630859093e90a94fa564b7a4a82f4ccb772377e07a2b5a6873d98bf665c92df1ce7cbdb583cda83947b3c9c3df5b3807b470f23f8d08df9fba78e13d6b635f9f59d2d4baa34831dc6c3e5a29695645b1ed50f3a3389e9e119de765e6d7daaff0b454eadd10f445e402bf3cf4d14f4d16c2d9e4fb5571cea7929d53019d414d118e82d491bf3fb3bd7427abd6eb48a0ed277221c42840eaa1fd5e7ce658f7763099c1d59431e498cb58357a659aea8e181ec0fb5ad8a55d1c0f129500a25b85cbcc8733fa3dfa9ea30a4' },
  { tcId: 103, comment: 'signature is not reduced', result: 'invalid', msg: '313233343030', sig: '675ee6980d92ab6d27c29fbb88a6b913cb0a42ba4f2bdfa35808166c454e708cd1e1a7e30d8e0e4e814ef107afc5d0d0e1831bccdc8092995c156a8d247b26aa0c14538423e4804be22fd2140c143515fb9abc828a7565e8bbb984d8cfd21fa2e5a897074437daf0324d18d2b2643d667a2fc4f286bf60c3e7d53e4a3f2f3fb1030098c673c19a8b4660fd934e702c0fa8a8aff154f6ee19afc7ea6cc7675002b9bf73f05c02944aecdd5f3c371f1a13c1d5f3128d2a754782958a05b341d185c1d6ff50ca68764b8966ddb089d4c66bd1d7afdeb01fd0fc7b46df3355c8db6c33dcbd125fee54eea860a94ccadfe789548256eb36ca481247719278299f560600' },
  { tcId: 108, comment: 'PKCS #1 v1.5 signature with SHA-256', result: 'invalid', msg: '313233343030', sig: '1758eb94588e6fc4f50c1be1afcaa41027869f304cad513b1fb12c2f446d63cdc05c4830a7e3e630da7b2da4f7867cc173bf6420f9732277282596de41ded32e21d0cc31441174da8765f57419c7764ea758f55bc17646eb100c435d1ac0eed6fc7ba6de5f832094ee2f479979765e05ac9976788db3c241a9e32a0da864f0019a87646ba623d63f4411af5dee1be9ec488c7e3e1b231479de70b9ac5f78a17b1f4120aece45f26c07e7bb345fdfeb05e14bcaacc614672a465fc523624cb19f66f9c6c3f642b832ca44cb25176d679f0e05606c3fed022cac24c2bf960a406d48818e3eb7ed53b0446032469047dfed95fc18088c92d91d93722c47f88163a8' },
];

describe('RSASSA-PSS with SHA-256 and a salt of exactly 32 bytes', () => {
  const verifies = (key: Buffer, { msg, sig }: PssVector): boolean => {
    const kid = createHash('sha256').update(key).digest('hex');
    const signature = { kid, signingInput: Buffer.from(msg, 'hex'), signature: Buffer.from(sig, 'hex') };
    const command: ParsedCommand = { payload, digest: '', signatures: [signature] };
    try {
      return verifySigners(command, [{ name: 'w', kid, spki: key }], 1).length === 1;
    } catch (thrown) {
      expect(thrown).toMatchObject({ code: 'SIGNATURE_INVALID' });
      return false;
    }
  };

  it.each(PSS_VECTORS)('Wycheproof $tcId: $comment is $result', (vector) => {
    expect(verifies(Buffer.from(PSS_KEY, 'hex'), vector)).toBe(vector.result === 'valid');
  });

  const folder = process.env['KEYSTEAD_VECTORS_DIR'];
  (folder ? it : it.skip)('every vector of the Wycheproof file (KEYSTEAD_VECTORS_DIR)', () => {
    const file = join(folder ?? '', 'wycheproof', 'rsa_pss_2048_sha256_mgf1_32_test.json');
    const { testGroups } = JSON.parse(readFileSync(file, 'utf8')) as {
      testGroups: { publicKeyDer: string; tests: PssVector[] }[];
    };
    for (const { publicKeyDer, tests } of testGroups) {
      for (const vector of tests) {
        expect([vector.tcId, verifies(Buffer.from(publicKeyDer, 'hex'), vector)]).toEqual([
          vector.tcId,
          vector.result === 'valid',
        ]);
      }
    }
  });
});
