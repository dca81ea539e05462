import fc from 'fast-check';
import { KeysteadError } from '../../shared/errors.js';
import { readCall } from './call.js';
import { OPERATIONS } from './operations.js';
import { readParameters } from './parameters.js';

/** What the work answers, or the refusal it throws; any other failure is one. */
function outcome(work: () => unknown): unknown {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof KeysteadError) return cause.code;
    throw cause;
  }
}

it('has each operation once, under the name that clients send', () => {
  const names = OPERATIONS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toEqual(expect.arrayContaining(['CreateKey', 'ImportKeyMaterial', 'Decrypt', 'ListTagResources']));
  for (const { request } of OPERATIONS) expect(request.permission).toBeDefined();
});

const NAMES = [
  ...new Set(OPERATIONS.flatMap(({ parameters }) => Object.keys((parameters as { shape?: object }).shape ?? {}))),
  ...['Tag.1.Key', 'Tag.0.Key', 'Tag.1', 'ResourceId.999', '__proto__', 'constructor.1.prototype', 'Tags', 'Filters'],
];
const Value = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.json(),
  fc.base64String(),
  fc.constantFrom('true', '0', '-1', '[]', '{}', '[{"TagKey":"__proto__"}]', '{"__proto__":"a"}', 'alias/a', '1e9'),
);

it.each(OPERATIONS.map((one) => [one.name, one] as const))(
  '%s reads or refuses whatever comes',
  (_name, { parameters }) => {
    const Given = fc.array(fc.tuple(fc.constantFrom(...NAMES), Value), { maxLength: 8 });
    fc.assert(
      fc.property(Given, (given) => {
        outcome(() => readParameters(parameters, new Map(given)));
      }),
      { numRuns: 200 },
    );
  },
);

it('a call is read or refused, whatever comes', () => {
  const Text = fc.oneof(fc.string(), fc.webQueryParameters(), fc.string({ unit: 'binary' }));
  const Header = fc.oneof(
    Text,
    fc.constantFrom(
      'ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host;;x,Signature=0',
      'application/x-www-form-urlencoded',
    ),
  );
  fc.assert(
    fc.property(
      fc.record({
        method: fc.constantFrom('GET', 'POST', 'PUT'),
        url: Text.map((query) => `/?${query}`),
        headers: fc.dictionary(fc.constantFrom('authorization', 'content-type', 'host', 'x-acs-date'), Header),
        body: fc.oneof(fc.uint8Array(), Text).map((bytes) => Buffer.from(bytes as string)),
      }),
      (received) => {
        outcome(() => readCall(received));
      },
    ),
    { numRuns: 2_000 },
  );
});
