import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ran, ROOT, run } from '../processes.js';
import { ALGORITHMS, AlibabaWorld, wrapped } from './alibaba-world.js';
import { CLIENTS, type Client } from './clients.js';

let w: AlibabaWorld;
beforeAll(async () => {
  w = await AlibabaWorld.start();
}, 180_000);
afterAll(() => w?.end(), 30_000);

const base64 = (bytes: Buffer | string) => Buffer.from(bytes).toString('base64');
const refusal = (client: Client, asked: Promise<unknown>) =>
  asked.then(
    () => 'served',
    (thrown) => client.codeIn(thrown),
  );

describe.each(Object.entries(CLIENTS))('%s', (_name, make) => {
  let client: Client;
  beforeAll(() => {
    client = make(w);
  });

  it.each(ALGORITHMS)('brings its own key, wrapped by %s, uses it, and takes the material away', async (algorithm) => {
    const material = randomBytes(32);
    const { KeyMetadata } = await client.ask('CreateKey', { Origin: 'EXTERNAL', Description: "a+b c*d~e'(f)!é" });
    expect(KeyMetadata).toMatchObject({
      Description: "a+b c*d~e'(f)!é",
      KeyState: 'PendingImport',
      KeySpec: 'Aliyun_AES_256',
      KeyUsage: 'ENCRYPT/DECRYPT',
      Origin: 'EXTERNAL',
      ProtectionLevel: 'HSM',
      MaterialExpireTime: '',
      DeleteDate: '',
    });
    const { KeyId } = KeyMetadata;
    const given = await client.ask('GetParametersForImport', {
      KeyId,
      WrappingKeySpec: 'RSA_2048',
      WrappingAlgorithm: algorithm,
    });
    expect(given.KeyId).toBe(KeyId);
    const lasts = Date.parse(given.TokenExpireTime) - Date.now();
    expect(Math.abs(lasts - 86_400_000)).toBeLessThan(60_000);
    const expires = Math.floor(Date.now() / 1000) + 3600;
    await client.ask('ImportKeyMaterial', {
      KeyId,
      ImportToken: given.ImportToken,
      EncryptedKeyMaterial: wrapped(material, given.PublicKey, algorithm),
      KeyMaterialExpireUnix: expires,
    });
    const described = (await client.ask('DescribeKey', { KeyId })).KeyMetadata;
    expect(described.KeyState).toBe('Enabled');
    expect(Date.parse(described.MaterialExpireTime)).toBe(expires * 1000);

    const context = { EncryptionContext: JSON.stringify({ b: '2', a: '1' }) };
    const sealed = await client.ask('Encrypt', { KeyId, Plaintext: base64('hello'), ...context });
    expect(sealed).toMatchObject({ KeyId, KeyVersionId: described.PrimaryKeyVersion });
    const { CiphertextBlob } = sealed;
    const opened = await client.ask('Decrypt', { CiphertextBlob, EncryptionContext: '{"a":"1","b":"2"}' });
    expect(opened).toMatchObject({ KeyId, Plaintext: base64('hello') });
    expect(await refusal(client, client.ask('Decrypt', { CiphertextBlob }))).toBe('InvalidParameter');

    await client.ask('DeleteKeyMaterial', { KeyId });
    expect(await refusal(client, client.ask('Decrypt', { CiphertextBlob, ...context }))).toBe('Rejected.PendingImport');
  });

  it('hears that its secret is wrong', async () => {
    const wrong = make(w, 'not the secret of this access key');
    expect(await refusal(wrong, wrong.ask('ListKeys', {}))).toBe('SignatureDoesNotMatch');
  });

  it('sends the largest plaintext, with every character escaped in the URL of those that put it there', async () => {
    const { KeyMetadata } = await client.ask('CreateKey', {});
    const Plaintext = base64(Buffer.alloc(6_144, 0xfb));
    expect(Plaintext).toMatch(/^(\+\/v7)+$/);
    const { CiphertextBlob } = await client.ask('Encrypt', { KeyId: KeyMetadata.KeyId, Plaintext });
    expect((await client.ask('Decrypt', { CiphertextBlob })).Plaintext).toBe(Plaintext);
  });

  it('makes data keys, with and without their plaintext', async () => {
    const { KeyId } = (await client.ask('CreateKey', {})).KeyMetadata;
    const made = await client.ask('GenerateDataKey', { KeyId, NumberOfBytes: 64 });
    expect(Buffer.from(made.Plaintext, 'base64')).toHaveLength(64);
    expect((await client.ask('Decrypt', { CiphertextBlob: made.CiphertextBlob })).Plaintext).toBe(made.Plaintext);
    const silent = await client.ask('GenerateDataKeyWithoutPlaintext', { KeyId, KeySpec: 'AES_128' });
    expect(silent).not.toHaveProperty('Plaintext');
    const found = await client.ask('Decrypt', { CiphertextBlob: silent.CiphertextBlob });
    expect(Buffer.from(found.Plaintext, 'base64')).toHaveLength(16);
  });

  it('tags a key', async () => {
    const { KeyId } = (await client.ask('CreateKey', {})).KeyMetadata;
    await client.ask('TagResource', { KeyId, Tags: JSON.stringify([{ TagKey: 'team', TagValue: 'a b' }]) });
    const { Tags } = await client.ask('ListResourceTags', { KeyId });
    expect(Tags.Tag).toEqual([{ KeyId, TagKey: 'team', TagValue: 'a b' }]);
  });
});

const WITH_RE_ENCRYPT = Object.entries(CLIENTS).filter(([name]) => name !== 'kms20160120 1.2.0'); // which is too old for it

it.each(WITH_RE_ENCRYPT)('%s encrypts a ciphertext anew under another key', async (_name, make) => {
  const { ask } = make(w);
  const [one, other] = [(await ask('CreateKey', {})).KeyMetadata.KeyId, (await ask('CreateKey', {})).KeyMetadata.KeyId];
  const { CiphertextBlob, Plaintext } = await ask('GenerateDataKey', { KeyId: one });
  const moved = await ask('ReEncrypt', { CiphertextBlob, DestinationKeyId: other });
  expect(moved.KeyId).toBe(other);
  expect(await ask('Decrypt', { CiphertextBlob: moved.CiphertextBlob })).toMatchObject({ KeyId: other, Plaintext });
});

describe('docs/alibaba-kms.md', () => {
  const page = readFileSync(join(ROOT, 'docs/alibaba-kms.md'), 'utf8');
  const block = (name: string) => new RegExp(`^\`\`\`\\S+ ${name}\\n(.*?)^\`\`\``, 'ms').exec(page)?.[1] ?? '';
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'ks-alibaba-'));
    mkdirSync(join(dir, 'work'));
    symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const inWork = (program: string, ...args: string[]): Promise<Ran> =>
    run(program, args, {
      cwd: join(dir, 'work'),
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: dir,
        ENDPOINT: w.endpoint,
        ACCESS_KEY_ID: w.accessKey.access_key_id,
        ACCESS_KEY_SECRET: w.accessKey.access_key_secret,
      },
    });

  it.each([
    ['kms20160120', 'hello\n'],
    ['openapi-client', 'the same data key\n'],
  ])('says how to use %s', async (name, printed) => {
    writeFileSync(join(dir, 'work', `${name}.mjs`), block(name));
    expect(await inWork(process.execPath, `${name}.mjs`)).toMatchObject({ code: 0, stdout: printed });
  });

  it('has the vendor’s OpenSSL steps, which import a key as they are printed', async () => {
    writeFileSync(join(dir, 'work', 'kms.mjs'), block('kms.mjs'));
    const steps = block('import');
    for (const step of [
      'openssl rand -out KeyMaterial.bin 32',
      'openssl rsautl -encrypt -in KeyMaterial.bin -oaep -inkey PublicKey.bin  -keyform DER  -pubin -out EncryptedKeyMaterial.bin',
      'openssl enc -e -base64 -A -in EncryptedKeyMaterial.bin -out EncryptedKeyMaterial_base64.txt',
    ]) {
      expect(steps).toContain(`${step}\n`);
    }
    const { code, stdout, stderr } = await inWork('sh', '-e', '-c', steps);
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    const { KeyMetadata } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
    expect(KeyMetadata).toMatchObject({ KeyState: 'Enabled', Origin: 'EXTERNAL', Description: 'External key' });
  });
});
