import { readAuthority, readUnits } from './auth.js';
import { retryCommand } from './signing.js';

const ID = '6e0aead3-9d44-4c92-a4c4-f7a1ab415420';
const ID2 = '3bb363fc-b1f9-4237-b37b-2c9e07784e3c';
const NEEDED = 'somebody must sign';

test('--auth and --cu exclude each other, and one of them is needed', async () => {
  await expect(readAuthority({ auth: '[]', cu: '[]' }, NEEDED)).rejects.toThrow('exclude each other');
  await expect(readAuthority({}, NEEDED)).rejects.toThrow(NEEDED);
});

test('several members of --auth are several signers, for every unit', async () => {
  const { units, signers } = await readAuthority({ auth: '[{"ADMIN":"a#env:A"},{"bob":"b"}]' }, NEEDED);
  expect(units).toBeNull();
  expect(signers.map(({ name, reference }) => [name, reference.file])).toEqual([
    ['ADMIN', 'a'],
    ['bob', 'b'],
  ]);
});

test.each(['{}', '[]', '["a"]', '[{}]', '[{"A":"a","B":"b"}]', '[{"A":1}]', '[{"":"a"}]'])(
  '--auth %s is refused',
  async (auth) => {
    await expect(readAuthority({ auth }, NEEDED)).rejects.toMatchObject({ code: 'USAGE' });
  },
);

test('text that is not JSON is refused without quoting it', async () => {
  const refused = readAuthority({ auth: '[{"ADMIN":"a#secret-word"' }, NEEDED);
  await expect(refused).rejects.toThrow('--auth is not JSON');
  await expect(refused).rejects.not.toThrow('secret-word');
});

test('--cu needs an Auth for signing and none for reading', async () => {
  const cu = `[{"CryptoUnitId":"${ID}"}]`;
  await expect(readAuthority({ cu }, NEEDED)).rejects.toThrow(`no Auth for crypto unit ${ID}`);
  expect(await readUnits(cu)).toEqual([{ id: ID, signers: [] }]);
  await expect(readUnits(`[{"CryptoUnitId":"${ID}"},{"CryptoUnitId":"${ID}"}]`)).rejects.toThrow('twice');
  await expect(readUnits('[{"CryptoUnitId":"x"}]')).rejects.toMatchObject({ code: 'USAGE' });
});

const request = {
  options: { output: 'table' as const, instanceId: 'the instance', unitKey: ['aa'] },
  words: ['kp', 'crypto-unit', 'user', 'remove'],
  flags: { '-u': "o'hara" },
};

test('the retry names the failed units with the signers of --auth, the flags and the compared keys', async () => {
  const authority = await readAuthority({ auth: '[{"ADMIN":"a.key#env:A"},{"bob":"b.key#secret"}]' }, NEEDED);
  expect(retryCommand(request, authority, [ID], ['bb', 'aa'])).toBe(
    `kp crypto-unit user remove -u 'o'\\''hara' --cu '[{"CryptoUnitId":"${ID}","Auth":[{"ADMIN":"a.key#env:A"},{"bob":"b.key"}]}]' -i 'the instance' --unit-key aa --unit-key bb`,
  );
});

test('the retry keeps to each unit the signers that --cu gave it', async () => {
  const cu = `[{"CryptoUnitId":"${ID}","Auth":[{"ADMIN":"a.key#fd:3"}]},{"CryptoUnitId":"${ID2}","Auth":[{"bob":"b.key"}]}]`;
  const retry = retryCommand(request, await readAuthority({ cu }, NEEDED), [ID2]);
  expect(retry).toContain(`--cu '[{"CryptoUnitId":"${ID2}","Auth":[{"bob":"b.key"}]}]'`);
  expect(retry).not.toContain(ID);
});
